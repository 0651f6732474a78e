package klammtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// recorder is a test that may fail without failing the one that looks at it.
type recorder struct {
	testing.TB
	said  strings.Builder
	fatal bool
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, arguments ...any) {
	fmt.Fprintf(&r.said, format, arguments...)
}

func (r *recorder) Fatalf(format string, arguments ...any) {
	r.Errorf(format, arguments...)
	r.fatal = true
	runtime.Goexit()
}

// failing runs something that is expected to fail a test, and returns what it says.
func failing(t *testing.T, broker *Broker, call func(*Broker)) (said string, fatal bool) {
	t.Helper()
	test, done := &recorder{TB: t}, make(chan struct{})
	go func() {
		defer close(done)
		call(broker.With(test))
	}()
	<-done
	return test.said.String(), test.fatal
}

func expect(t *testing.T, said, part string) {
	t.Helper()
	if !strings.Contains(said, part) {
		t.Errorf("%q does not say %q", said, part)
	}
}

// program writes a file that may be run.
func program(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "klamm")
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// refused returns when nothing listens there any more.
func refused(t *testing.T, address string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		_ = connection.Close()
	}
	t.Errorf("something listens at %s", address)
}

func TestOptions(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	broker := Start(t,
		Topic("orders", 3), TopicWith("bills", 1, map[string]string{"retention.ms": "1000", "cleanup.policy": "compact,delete"}),
		User("alice", "secret"), TLS(), AsVersion("3.9"), Override("num.partitions", "2"), Memory("32M"), DataDir(data), Port(0))
	if broker.SecurityProtocol() != "SASL_SSL" || len(broker.SASLMechanisms()) != 3 || len(broker.Brokers()) != 1 {
		t.Errorf("%+v", broker.ready)
	}
	if broker.PID() == 0 || broker.ClusterID() == "" || broker.HTTP() == "" || broker.BootstrapServers() == "" {
		t.Errorf("%+v", broker.ready)
	}
	if len(broker.TLSConfig().Certificates) != 1 || broker.Certificates().Password == "" {
		t.Error("without certificates")
	}
	broker.WaitFor(TopicRecords("orders", 0))
	broker.WaitFor(TopicRecords("bills", 0), Within(time.Second))
	if _, err := os.Stat(data); err != nil {
		t.Error(err)
	}
	broker.Close()
	broker.Close()
	refused(t, broker.BootstrapServers())
	for _, gone := range []string{data, broker.Certificates().CAPEM} {
		if _, err := os.Stat(gone); err == nil {
			t.Errorf("%s is left", gone)
		}
	}
}

func TestWithoutTLS(t *testing.T) {
	t.Parallel()
	broker := Start(t)
	if broker.TLSConfig() != nil || broker.Certificates() != nil || broker.SecurityProtocol() != "PLAINTEXT" {
		t.Errorf("%+v", broker.ready)
	}
	expect(t, broker.Log(), "listener=PLAINTEXT")
	expect(t, broker.seen(), "klamm: the last requests:\nits log:\n")
}

func TestRules(t *testing.T) {
	t.Parallel()
	broker := Start(t)
	match := Match{
		API: "Fetch", Versions: "3-9", ClientID: "none", Principal: "User:none", Topic: "orders", Partition: Partition(0),
		Group: "g", TransactionalID: "t", Fields: map[string]any{"groupId": "g"}, Every: 2, Probability: 0.5, Seed: 7,
	}
	actions := []Action{
		Error("NOT_LEADER_OR_FOLLOWER"), Delay(time.Millisecond), Hold(), CloseConnection().After(), NoAnswer(), Throttle(time.Second),
		Truncate(3), Corrupt(), ExpireMember(),
	}
	for _, action := range actions {
		fault := broker.Fault(match, action, Count(2), Expires(time.Hour))
		if fault.Matched() != 0 || fault.Struck() != 0 || fault.Over() {
			t.Errorf("%+v", fault.look())
		}
	}
	broker.Fault(Match{API: "ApiVersions", Nth: 1}, Offer(map[string][]int{"Produce": {3, 9}, "EndTxn": nil}))
	if removed := broker.RemoveFaults(); removed != len(actions)+1 {
		t.Errorf("%d rules", removed)
	}
	said, fatal := failing(t, broker, func(b *Broker) { b.Fault(Match{}, Error("NOPE")) })
	expect(t, said, `klamm: there is no error "NOPE"`)
	if !fatal {
		t.Error("a rule that is refused ends the test")
	}
	said, _ = failing(t, broker, func(b *Broker) { b.ResetTo("none") })
	expect(t, said, "klamm: there is no such snapshot")
	said, _ = failing(t, broker, func(b *Broker) {
		fault := b.Fault(Match{API: "Fetch"}, Hold())
		fault.Release()
		fault.Remove()
		fault.Remove()
		fault.Struck()
	})
	expect(t, said, "was removed")
}

func TestClock(t *testing.T) {
	t.Parallel()
	clock := Start(t).Clock()
	later := clock.Freeze().Add(time.Minute)
	if !clock.Frozen() || !clock.Set(later).Equal(later) || !clock.Now().Equal(later) {
		t.Error("it is not frozen and set")
	}
	if moved := clock.Advance(time.Second); !moved.Equal(later.Add(time.Second)) {
		t.Error(moved)
	}
	clock.Resume()
	if clock.Frozen() {
		t.Error("it is frozen")
	}
	said, _ := failing(t, clock.broker, func(b *Broker) { b.Clock().Advance(10_000 * 24 * time.Hour) })
	expect(t, said, "klamm: ")
}

func TestWaits(t *testing.T) {
	t.Parallel()
	broker := Start(t, Topic("orders", 1))
	said, fatal := failing(t, broker, func(b *Broker) { b.WaitFor(TopicRecords("orders", 1), Within(20*time.Millisecond)) })
	expect(t, said, "the topic orders has 0 records")
	if !fatal {
		t.Error("a wait that is over ends the test")
	}
	said, _ = failing(t, broker, func(b *Broker) { b.WaitFor(GroupMembers("a", 1), GroupLag("b", 0)) })
	expect(t, said, "one wait is for one group, not for a and b")
	said, _ = failing(t, broker, func(b *Broker) { b.WaitFor(TransactionEnd("t"), Within(time.Millisecond)) })
	expect(t, said, "t")
}

func TestShared(t *testing.T) {
	t.Parallel()
	broker, err := Run()
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	broker.With(t).AssertRequests(Filter{API: "Produce", Since: time.Now()}, Exactly(0))
	defer func() { expect(t, fmt.Sprint(recover()), "at least 1 were expected") }()
	broker.AssertRequests(Filter{}, AtLeast(1))
}

func TestStartThatFails(t *testing.T) {
	t.Parallel()
	_, err := Run(Override("log.retention.ms", "long"))
	expect(t, fmt.Sprint(err), "the broker has ended with exit status 1; its log ends with:\n")
	expect(t, fmt.Sprint(err), "Not a number of type LONG")
	_, err = Run(Binary(program(t, "#!/bin/sh\necho it thinks >&2\nexec cat\n")), StartTimeout(500*time.Millisecond))
	expect(t, fmt.Sprint(err), "the broker is not ready after 500ms; its log ends with:\nit thinks")
	_, err = Run(Binary(program(t, "#!/no/such/shell\n")))
	expect(t, fmt.Sprint(err), "cannot be run")
	_, err = Run(Binary(program(t, "#!/bin/sh\necho it is well\n")))
	expect(t, fmt.Sprint(err), "the broker's first line cannot be read")
}

func TestWhereTheProgramIs(t *testing.T) {
	other, inPath := program(t, "#!/bin/sh\n"), program(t, "#!/bin/sh\n")
	t.Setenv("PATH", filepath.Dir(inPath))
	for _, case_ := range []struct{ explicit, variable, found, err string }{
		{"", "", inPath, "<nil>"},
		{"", other, other, "<nil>"},
		{other, inPath, other, "<nil>"},
		{"/none", "", "", "Binary names /none, which is no program that can be run"},
		{"", "/", "", "KLAMM_BIN names /, which is no program that can be run"},
	} {
		t.Setenv("KLAMM_BIN", case_.variable)
		if found, err := find(case_.explicit); found != case_.found || fmt.Sprint(err) != case_.err {
			t.Errorf("%v: %q, %v", case_, found, err)
		}
	}
	t.Setenv("KLAMM_BIN", "")
	t.Setenv("PATH", "")
	_, err := find("")
	expect(t, fmt.Sprint(err), "the program klamm is not found")
}

// TestMain is also what TestItEndsWithItsProcess runs: a process that starts a broker and does not close it.
func TestMain(m *testing.M) {
	if os.Getenv("KLAMMTEST_CARELESS") == "" {
		os.Exit(m.Run())
	}
	broker, err := Run()
	if err != nil {
		panic(err)
	}
	fmt.Println(broker.BootstrapServers())
	os.Exit(3)
}

func TestItEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "KLAMMTEST_CARELESS=1")
	address, err := child.Output()
	if child.ProcessState.ExitCode() != 3 {
		t.Fatal(err)
	}
	refused(t, strings.TrimSpace(string(address)))
}
