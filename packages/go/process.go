package klammtest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is the broker as a process that lives as long as this one, at most: by the pipe of its standard input.
type process struct {
	command      *exec.Cmd
	input        io.Closer
	output       io.Reader
	errors       *os.File
	certificates string
	once         sync.Once
}

func start(program string, chosen settings) (*process, error) {
	p := &process{}
	if err := p.start(program, chosen); err != nil {
		p.release()
		return nil, fmt.Errorf("%s cannot be run: %w", program, err)
	}
	return p, nil
}

func (p *process) start(program string, chosen settings) error {
	// A file without a name: nothing must run to read it, and it goes with this process however that ends.
	file, err := os.CreateTemp("", "klamm-log-")
	if err != nil {
		return err
	}
	p.errors = file
	if err := os.Remove(file.Name()); err != nil {
		return err
	}
	arguments := append([]string{"test"}, chosen.arguments...)
	if chosen.tls {
		if p.certificates, err = os.MkdirTemp("", "klamm-tls-"); err != nil {
			return err
		}
		arguments = append(arguments, "--tls", p.certificates)
	}
	p.command = exec.Command(program, arguments...)
	p.command.Stderr = file
	apart(p.command)
	if p.input, err = p.command.StdinPipe(); err != nil {
		return err
	}
	if p.output, err = p.command.StdoutPipe(); err != nil {
		return err
	}
	return p.command.Start()
}

// ready reads the line of JSON by which the broker says that it can be used.
func (p *process) ready(limit time.Duration) (ready, error) {
	type line struct {
		text []byte
		err  error
	}
	lines := make(chan line, 1)
	go func() {
		text, err := bufio.NewReader(p.output).ReadBytes('\n')
		lines <- line{text, err}
	}()
	late := time.NewTimer(limit)
	defer late.Stop()
	var found ready
	select {
	case first := <-lines:
		if first.err != nil {
			_ = p.command.Wait()
			return found, p.failed(fmt.Sprintf("the broker has ended with %v", p.command.ProcessState))
		}
		if err := json.Unmarshal(first.text, &found); err != nil {
			return found, p.failed(fmt.Sprintf("the broker's first line cannot be read: %v", err))
		}
		return found, nil
	case <-late.C:
		return found, p.failed(fmt.Sprintf("the broker is not ready after %v", limit))
	}
}

func (p *process) failed(sentence string) error {
	err := fmt.Errorf("%s; its log ends with:\n%s", sentence, p.log())
	p.close()
	return err
}

func (p *process) log() string {
	info, err := p.errors.Stat()
	if err != nil {
		return ""
	}
	end := make([]byte, min(info.Size(), lastLines*1024))
	if _, err := p.errors.ReadAt(end, info.Size()-int64(len(end))); err != nil && err != io.EOF {
		return ""
	}
	lines := strings.Split(strings.TrimRight(string(end), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-lastLines):], "\n")
}

func (p *process) close() {
	p.once.Do(func() {
		_ = p.input.Close()
		_ = p.command.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(stopTime, func() { _ = p.command.Process.Kill() })
		_ = p.command.Wait()
		late.Stop()
		p.release()
	})
}

func (p *process) release() {
	if p.errors != nil {
		_ = p.errors.Close()
	}
	if p.certificates != "" {
		_ = os.RemoveAll(p.certificates)
	}
}
