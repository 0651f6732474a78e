//go:build unix

package klammtest

import (
	"os/exec"
	"syscall"
)

// apart keeps the terminal's Ctrl-C from the broker: the test ends it, behind its clients.
func apart(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}
