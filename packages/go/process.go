package klammtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// mostShown is how much of a first line that is none an error shows.
const mostShown = 200

// process is the broker as a process that lives as long as this one, at most: by the pipe of its standard input.
type process struct {
	command *exec.Cmd
	input   io.Closer
	output  *os.File
	errors  *os.File
	// The broker makes them and takes them away, so that they go however this process ends.
	certificates string
	exited       chan struct{}
	once         sync.Once
}

func start(program string, chosen settings) (*process, error) {
	p := &process{exited: make(chan struct{})}
	if err := p.start(program, chosen); err != nil {
		p.release()
		return nil, fmt.Errorf("%s cannot be run: %w%s", program, err, whyNot(program))
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
		p.certificates = filepath.Join(os.TempDir(), "klamm-tls-"+unguessed())
		arguments = append(arguments, "--tls", p.certificates)
	}
	p.command = exec.Command(program, arguments...)
	p.command.Stderr = file
	apart(p.command)
	if p.input, err = p.command.StdinPipe(); err != nil {
		return err
	}
	var written *os.File
	if p.output, written, err = os.Pipe(); err != nil {
		return err
	}
	defer func() { _ = written.Close() }()
	p.command.Stdout = written
	if err := p.command.Start(); err != nil {
		return err
	}
	go func() {
		_ = p.command.Wait()
		close(p.exited)
	}()
	return nil
}

// ready reads the line of JSON by which the broker says that it can be used.
func (p *process) ready(limit time.Duration) (ready, error) {
	late := time.NewTimer(limit)
	defer late.Stop()
	if err := p.output.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return ready{}, p.failed(fmt.Sprintf("the broker's output cannot be waited for: %v", err))
	}
	line, err := bufio.NewReader(p.output).ReadBytes('\n')
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ready{}, p.failed(fmt.Sprintf("the broker is not ready after %v", limit))
	}
	if err != nil {
		select {
		case <-p.exited:
			how := fmt.Sprintf("the broker has ended with %v before its first line", p.command.ProcessState)
			return ready{}, p.failed(how + whyNot(p.command.Path))
		case <-late.C:
			return ready{}, p.failed("the broker has closed its output before its first line")
		}
	}
	found, sentence := told(bytes.TrimRight(line, "\n"))
	if sentence != "" {
		return ready{}, p.failed(sentence)
	}
	return found, nil
}

// told is what a first line says: that the broker is ready, or a sentence about why that cannot be told.
func told(line []byte) (ready, string) {
	shown := "'" + string(line[:min(len(line), mostShown)]) + "'"
	var all map[string]json.RawMessage
	if json.Unmarshal(line, &all) != nil || all == nil {
		return ready{}, "the broker's first line is no object of JSON: " + shown
	}
	var missing []string
	for _, name := range []string{"bootstrap_servers", "http", "cluster_id", "pid", "security_protocol"} {
		if _, there := all[name]; !there {
			missing = append(missing, name)
		}
	}
	switch names := strings.Join(missing, ", "); names {
	case "":
	case "http":
		return ready{}, "the broker has no HTTP side, without which nothing here works: a setting has switched it off"
	default:
		return ready{}, fmt.Sprintf("the broker's first line has no %s: %s", names, shown)
	}
	var found ready
	if err := json.Unmarshal(line, &found); err != nil {
		return ready{}, fmt.Sprintf("the broker's first line cannot be read: %v: %s", err, shown)
	}
	return found, ""
}

func (p *process) failed(sentence string) error {
	err := fmt.Errorf("%s; its log is empty", sentence)
	if log := p.log(); log != "" {
		err = fmt.Errorf("%s; its log ends with:\n%s", sentence, log)
	}
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
		<-p.exited
		late.Stop()
		p.release()
	})
}

func (p *process) release() {
	for _, file := range []*os.File{p.errors, p.output} {
		if file != nil {
			_ = file.Close()
		}
	}
	if p.certificates != "" {
		// They are there only where the broker was killed.
		_ = os.RemoveAll(p.certificates)
	}
}
