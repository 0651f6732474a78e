package klammtest

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// find looks for the program: what the caller names, KLAMM_BIN, the one in PATH. One that is named must be there: the next
// place is not tried instead of it. A Go module carries sources alone, so there is none beside this one.
func find(explicit string) (string, error) {
	for _, named := range []struct{ path, origin string }{{explicit, "Binary"}, {os.Getenv("KLAMM_BIN"), "KLAMM_BIN"}} {
		if named.path == "" {
			continue
		}
		if info, err := os.Stat(named.path); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			return "", fmt.Errorf("%s names %s, which is no program that can be run", named.origin, named.path)
		}
		return named.path, nil
	}
	path, err := exec.LookPath("klamm")
	if err != nil {
		return "", errors.New("the program klamm is not found: install it into PATH, or name it by klammtest.Binary or by KLAMM_BIN")
	}
	return path, nil
}

// machines are those of ELF by their names in Go.
var machines = map[elf.Machine]string{
	elf.EM_386: "386", elf.EM_ARM: "arm", elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64", elf.EM_RISCV: "riscv64",
}

// whyNot is what makes a program that is there end at once, as a part of a sentence: it was built for another machine or C
// library.
func whyNot(program string) string {
	file, err := elf.Open(program)
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()
	machine, known := machines[file.Machine]
	if !known {
		machine = file.Machine.String()
	}
	if machine != runtime.GOARCH {
		return fmt.Sprintf("; it was built for %s, and this machine is %s", machine, runtime.GOARCH)
	}
	for _, segment := range file.Progs {
		if segment.Type != elf.PT_INTERP {
			continue
		}
		text, err := io.ReadAll(io.LimitReader(segment.Open(), 4096))
		loader := strings.TrimRight(string(text), "\x00")
		if err != nil {
			return ""
		}
		if _, err := os.Stat(loader); err != nil {
			return fmt.Sprintf("; it was built for another C library (musl or glibc): its loader %s is not here", loader)
		}
	}
	return ""
}
