package klammtest

import (
	"bufio"
	"encoding/binary"
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

// deadline is how long anything here may take on a busy machine.
const deadline = time.Minute

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

// program writes a file that may be run. Tests that do so are not parallel: another's child, between its fork and its exec, would
// have the file open for writing, and what is written to cannot be run.
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
	for end := time.Now().Add(deadline); time.Now().Before(end); {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		_ = connection.Close()
	}
	t.Errorf("something listens at %s after %v", address, deadline)
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
	broker.Fault(Match{API: "Metadata", Broker: 1, ClientID: "none"}, Stale())
	broker.Fault(Match{API: "ApiVersions", Nth: 1}, Offer(map[string][]int{"Produce": {3, 9}, "EndTxn": nil}))
	if removed := broker.RemoveFaults(); removed != len(actions)+2 {
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
	said, _ = failing(t, broker, func(b *Broker) { b.WaitFor(TopicFetched("orders", 0, 1, "none"), Within(20*time.Millisecond)) })
	expect(t, said, "no Fetch of orders-0 by the client none is in the journal")
	if found := broker.Requests(Filter{Broker: 1, ID: "0-1000000"}); len(found) != 0 {
		t.Errorf("%v", found)
	}
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

func TestAFailureNamesTheTestsOwnLine(t *testing.T) {
	const inside = "KLAMMTEST_FAILS"
	if os.Getenv(inside) != "" {
		Start(t).MoveLeader("none", 0, 1)
	}
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), inside+"=1")
	said, err := child.CombinedOutput()
	if err == nil {
		t.Error("it has not failed")
	}
	expect(t, string(said), "klammtest_test.go:")
	expect(t, string(said), ": klamm: this process plays one broker")
	if strings.Contains(string(said), "deeds.go:") {
		t.Errorf("%s", said)
	}
}

func TestStartThatFails(t *testing.T) {
	_, err := Run(Override("log.retention.ms", "long"))
	expect(t, fmt.Sprint(err), "the broker has ended with exit status 1 before its first line; its log ends with:\n")
	expect(t, fmt.Sprint(err), "Not a number of type LONG")
	_, err = Run(Override("klamm.http.listeners", ""))
	expect(t, fmt.Sprint(err), "the broker has no HTTP side, without which nothing here works")
	// It never gets ready.
	_, err = Run(Binary(program(t, "#!/bin/sh\nexec cat\n")), StartTimeout(200*time.Millisecond))
	expect(t, fmt.Sprint(err), "the broker is not ready after 200ms; its log ")
	_, err = Run(Binary(program(t, "#!/bin/sh\nexec sleep 60 1>&-\n")), StartTimeout(200*time.Millisecond))
	expect(t, fmt.Sprint(err), "the broker has closed its output before its first line; its log ")
	_, err = Run(Binary(program(t, "#!/no/such/shell\n")))
	expect(t, fmt.Sprint(err), "cannot be run")
	_, err = Run(Binary(program(t, "#!/bin/sh\n")))
	expect(t, fmt.Sprint(err), "the broker has ended with exit status 0 before its first line; its log is empty")
}

func TestFirstLineThatIsNone(t *testing.T) {
	for text, sentence := range map[string]string{
		"echo it is well; exec cat": "the broker's first line is no object of JSON: 'it is well'",
		"echo 7; exec cat":          "the broker's first line is no object of JSON: '7'",
		"echo null; exec cat":       "the broker's first line is no object of JSON: 'null'",
		"exit 3":                    "the broker has ended with exit status 3 before its first line",
		"kill -9 $$":                "the broker has ended with signal: killed before its first line",
		`echo '{"bootstrap_servers":"a:1","cluster_id":"c","pid":1,"security_protocol":"PLAINTEXT"}'; exec cat`: "the broker has no " +
			"HTTP side, without which nothing here works: a setting has switched it off",
		`echo '{"pid":1}'; exec cat`: "the broker's first line has no bootstrap_servers, http, cluster_id, security_protocol: " +
			`'{"pid":1}'`,
	} {
		_, err := Run(Binary(program(t, "#!/bin/sh\necho it thinks >&2\n"+text+"\n")), StartTimeout(deadline))
		if want := sentence + "; its log ends with:\nit thinks"; fmt.Sprint(err) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// elfProgram says what it was built for, and nothing else.
func elfProgram(machine uint16, loader string) string {
	text := append([]byte(loader), 0)
	head := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 9)...)
	for _, value := range []any{
		[]uint16{2, machine}, uint32(1), []uint64{0, 64, 0}, uint32(0), []uint16{64, 56, 1, 0, 0, 0},
		// PT_INTERP, readable, behind both headers
		[]uint32{3, 4}, []uint64{120, 0, 0, uint64(len(text)), uint64(len(text)), 1},
	} {
		head, _ = binary.Append(head, binary.LittleEndian, value)
	}
	return string(head) + string(text)
}

func TestProgramOfAnotherPlatform(t *testing.T) {
	mine, other := uint16(62), uint16(183)
	if runtime.GOARCH == "arm64" {
		mine, other = other, mine
	}
	_, err := Run(Binary(program(t, elfProgram(other, "/lib/ld-none.so.1"))))
	expect(t, fmt.Sprint(err), "; it was built for a")
	expect(t, fmt.Sprint(err), "and this machine is "+runtime.GOARCH)
	_, err = Run(Binary(program(t, elfProgram(mine, "/lib/ld-none.so.1"))))
	expect(t, fmt.Sprint(err), "its loader /lib/ld-none.so.1 is not here")
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

// TestMain is also what the tests below it run: a process that starts a broker and does not close it.
func TestMain(m *testing.M) {
	careless := os.Getenv("KLAMMTEST_CARELESS")
	if careless == "" {
		os.Exit(m.Run())
	}
	broker, err := Run(TLS())
	if err != nil {
		panic(err)
	}
	fmt.Println(broker.BootstrapServers())
	if careless == "stay" {
		// Its test has the other side, and keeps it open.
		_, _ = os.Stdin.Read(make([]byte, 1))
	}
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

func TestNothingIsLeftOfItWhenItsProcessIsKilled(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "KLAMMTEST_CARELESS=stay", "TMPDIR="+folder)
	if _, err := child.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(output).ReadString('\n'); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 1 {
		t.Errorf("%v, %v: its certificates are not there", left, err)
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	var left []os.DirEntry
	for end := time.Now().Add(deadline); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if left, err = os.ReadDir(folder); err != nil || len(left) == 0 {
			return
		}
	}
	t.Errorf("%v is left after %v", left, deadline)
}

const lines = `{"topic":"orders","partitions":2,"configs":{"cleanup.policy":"compact"}}
{"topic":"orders","partition":1,"key":"k1","value":{"json":{"amount":5}},"headers":[["trace","a"]],"timestamp":1767225600000}
{"topic":"orders","partition":1,"key":{"base64":"/w=="},"value":null}
`

func TestTopicsAndRecordsInAndOut(t *testing.T) {
	t.Parallel()
	broker := Start(t)
	if loaded := broker.LoadFixtures(lines); loaded != (Loaded{1, 2}) {
		t.Error(loaded)
	}
	records := broker.Records("orders", 1)
	if len(records) != 2 || string(records[0].Key) != "k1" || string(records[1].Key) != "\xff" || records[1].Value != nil {
		t.Errorf("%+v", records)
	}
	first := broker.RecordsBefore("orders", 1, 1)
	if len(first) != 1 || string(first[0].Value) != `{"amount":5}` || first[0].Timestamp.UnixMilli() != 1767225600000 {
		t.Errorf("%+v", first)
	}
	if headers := first[0].Headers; len(headers) != 1 || headers[0].Key != "trace" || string(headers[0].Value) != "a" {
		t.Errorf("%+v", headers)
	}
	topic := broker.Topic("orders")
	if topic.Records != 2 || topic.Configs["cleanup.policy"] != "compact" || topic.Partitions[1].End != 2 || len(broker.Topics()) != 1 {
		t.Errorf("%+v", topic)
	}
	dumped := broker.DumpFixtures("")
	if dumped != broker.DumpFixtures("orders") {
		t.Error(dumped)
	}
	broker.Reset()
	file := filepath.Join(t.TempDir(), "lines")
	if err := os.WriteFile(file, []byte(dumped), 0o600); err != nil {
		t.Fatal(err)
	}
	if loaded := broker.LoadFixturesFile(file); loaded != (Loaded{1, 2}) || broker.DumpFixtures("") != dumped {
		t.Error(loaded)
	}
	expect(t, broker.Metrics(), "\nkafka_topic_partition_current_offset{topic=\"orders\",partition=\"1\"} 2\n")
}

func TestALargeRecordIsCut(t *testing.T) {
	t.Parallel()
	broker := Start(t)
	broker.LoadFixtures(`{"topic":"orders","value":"` + strings.Repeat("x", 20_000) + `"}`)
	if record := broker.Records("orders", 0)[0]; !record.Cut || len(record.Value) != 16<<10 {
		t.Errorf("%d bytes", len(record.Value))
	}
}

func TestWhatIsNotThereIsSaid(t *testing.T) {
	t.Parallel()
	broker := Start(t)
	said, fatal := failing(t, broker, func(b *Broker) { b.LoadFixtures("{\"topic\":\"orders\"}\n{\"topic\":7}\n") })
	expect(t, said, "klamm: line 2: ")
	if !fatal {
		t.Error("a line that is refused ends the test")
	}
	for _, call := range []func(*Broker){
		func(b *Broker) { b.DumpFixtures("none") }, func(b *Broker) { b.Topic("none") }, func(b *Broker) { b.Group("none") },
		func(b *Broker) { b.Records("none", 0) }, func(b *Broker) { b.ForgetSnapshot("none") },
		func(b *Broker) { b.LoadFixturesFile("none") }, func(b *Broker) { b.ExpireMembers("none") },
		func(b *Broker) { b.ForceRebalance("none") },
	} {
		said, fatal := failing(t, broker, call)
		if !fatal || !strings.HasPrefix(said, "klamm: ") {
			t.Errorf("%q", said)
		}
	}
}

func TestSnapshotsAndRulesAreListed(t *testing.T) {
	t.Parallel()
	broker := Start(t)
	broker.Snapshot("a & b")
	if found := broker.Snapshots(); len(found) != 1 || found[0].Name != "a & b" || found[0].Bytes == 0 {
		t.Errorf("%+v", found)
	}
	broker.ForgetSnapshot("a & b")
	if found := broker.Snapshots(); len(found) != 0 {
		t.Errorf("%+v", found)
	}
	fault := broker.Fault(Match{API: "Fetch"}, Hold())
	if found := broker.Faults(); len(found) != 1 || found[0] != (Rule{ID: fault.ID()}) {
		t.Errorf("%+v", found)
	}
}
