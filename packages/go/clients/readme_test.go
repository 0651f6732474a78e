package clients

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"klamm/klammtest"
)

// TestReadme looks that README.md shows nothing but what the tests below run.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	this, err := os.ReadFile("readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	pieces := regexp.MustCompile("(?ms)^```go\n(.*?)^```$").FindAllStringSubmatch(string(readme), -1)
	if len(pieces) == 0 {
		t.Fatal("README.md shows no code")
	}
	for _, piece := range pieces {
		if !strings.Contains(withoutIndentation(string(this)), withoutIndentation(piece[1])) {
			t.Errorf("no test runs this piece of README.md:\n%s", piece[1])
		}
	}
}

func withoutIndentation(text string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			kept.WriteString(line + "\n")
		}
	}
	return kept.String()
}

// orders is a client that writes to the topic orders, and reads it as a member of the group readers.
func orders(t *testing.T, broker *klammtest.Broker, more ...kgo.Opt) *kgo.Client {
	t.Helper()
	reads := []kgo.Opt{kgo.ConsumerGroup("readers"), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}
	return client(t, broker, append(append(reads, kgo.DefaultProduceTopic("orders")), more...)...)
}

func TestReadmeProduceAndConsume(t *testing.T) {
	broker := klammtest.Start(t, klammtest.Topic("orders", 1))

	client, err := kgo.NewClient(kgo.SeedBrokers(broker.Brokers()...), kgo.DefaultProduceTopic("orders"),
		kgo.ConsumerGroup("readers"), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(t.Context(), kgo.StringRecord("a")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	client.PollFetches(t.Context()).EachRecord(func(record *kgo.Record) {
		if string(record.Value) != "a" {
			t.Error(record)
		}
	})
	if err := client.CommitUncommittedOffsets(t.Context()); err != nil {
		t.Fatal(err)
	}
	broker.WaitFor(klammtest.GroupLag("readers", 0))
}

func TestReadmeFaults(t *testing.T) {
	broker := klammtest.Start(t, klammtest.Topic("orders", 1))
	client := client(t, broker, kgo.DefaultProduceTopic("orders"))
	fault := broker.Fault(klammtest.Match{API: "Produce", Topic: "orders"}, klammtest.Error("NOT_LEADER_OR_FOLLOWER"), klammtest.Count(2))
	if err := client.ProduceSync(t.Context(), kgo.StringRecord("a")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if fault.Struck() != 2 {
		t.Errorf("it was struck %d times", fault.Struck())
	}

	// An acknowledgement that is lost behind its effect: does the client write twice?
	broker.Fault(klammtest.Match{API: "Produce"}, klammtest.CloseConnection().After(), klammtest.Count(1))
	if err := client.ProduceSync(t.Context(), kgo.StringRecord("b")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if records := broker.Records("orders", 0); len(records) != 2 {
		t.Errorf("%d records", len(records))
	}
}

func TestReadmeClock(t *testing.T) {
	broker := klammtest.Start(t, klammtest.TopicWith("orders", 1, map[string]string{"retention.ms": "60000"}))
	broker.Clock().Freeze()
	broker.LoadFixtures(`{"topic":"orders","value":"a"}`)
	broker.Clock().Advance(time.Hour)
	if records := broker.Records("orders", 0); len(records) != 0 {
		t.Errorf("%d records", len(records))
	}
	broker.Clock().Set(broker.Clock().Now().Add(time.Minute))
	broker.Clock().Resume()
}

func TestReadmeRequests(t *testing.T) {
	broker := klammtest.Start(t, klammtest.Topic("orders", 1))
	client := client(t, broker, kgo.DefaultProduceTopic("orders"))
	if err := client.ProduceSync(t.Context(), kgo.StringRecord("a"), kgo.StringRecord("b")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	broker.AssertRequests(klammtest.Filter{API: "Produce", Topic: "orders"}, klammtest.AtMost(2))
	broker.AssertRequests(klammtest.Filter{API: "InitProducerId", ClientID: "shop"}, klammtest.Exactly(1))
	for _, request := range broker.Requests(klammtest.Filter{ClientID: "shop"}) {
		t.Log(request, string(request.Answer))
	}
}

func TestReadmeFixtures(t *testing.T) {
	broker := klammtest.Start(t)
	client := orders(t, broker)
	broker.LoadFixtures(`
{"topic":"orders","partitions":1,"configs":{"cleanup.policy":"compact"}}
{"topic":"orders","key":"k1","value":{"json":{"amount":5}},"headers":[["trace","a"]]}
`)
	client.PollFetches(t.Context()).EachRecord(func(record *kgo.Record) {
		if string(record.Value) != `{"amount":5}` {
			t.Error(record)
		}
	})

	file := filepath.Join(t.TempDir(), "fixtures.jsonl")
	if err := os.WriteFile(file, []byte(broker.DumpFixtures("orders")), 0o600); err != nil {
		t.Fatal(err)
	}
	broker.Reset()
	broker.LoadFixturesFile(file)
}

func TestReadmeDeeds(t *testing.T) {
	broker := klammtest.Start(t, klammtest.Topic("orders", 1))
	client := client(t, broker, kgo.DefaultProduceTopic("orders"), kgo.TransactionalID("payments"))
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := client.ProduceSync(t.Context(), kgo.StringRecord("a")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	broker.FenceProducer("payments")
	if err := client.EndTransaction(t.Context(), kgo.TryCommit); err == nil {
		t.Error("a producer that is fenced has committed")
	}
}

func TestReadmeBrokers(t *testing.T) {
	broker := klammtest.Start(t, klammtest.Brokers(3), klammtest.Topic("orders", 1))
	client := client(t, broker, kgo.DefaultProduceTopic("orders"))
	produce := func(value string) {
		if err := client.ProduceSync(t.Context(), kgo.StringRecord(value)).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	produce("a")
	broker.MoveLeader("orders", 0, 3)
	produce("b")

	broker.TakeBrokerDown(3) // another one leads
	produce("c")
	broker.BringBrokerUp(3)
	for _, state := range broker.BrokerStates() {
		if !state.Up {
			t.Error(state)
		}
	}
	if records := broker.Records("orders", 0); len(records) != 3 {
		t.Errorf("%d records", len(records))
	}
}

func TestReadmeWaits(t *testing.T) {
	broker := klammtest.Start(t)
	broker.LoadFixtures(`{"topic":"orders","value":"a"}`)
	broker.WaitFor(klammtest.TopicRecords("orders", 1))
	client := orders(t, broker)
	client.PollFetches(t.Context())
	broker.WaitFor(klammtest.GroupMembers("readers", 1)) // it has one member and is stable
	if err := client.CommitUncommittedOffsets(t.Context()); err != nil {
		t.Fatal(err)
	}
	broker.WaitFor(klammtest.GroupLag("readers", 0), klammtest.Within(5*time.Second)) // it has committed, and is not behind
}

func TestReadmeReset(t *testing.T) {
	broker := klammtest.Start(t)
	broker.LoadFixtures(`{"topic":"orders","value":"a"}`)
	broker.Snapshot("seeded") // keeps all that is there now
	broker.LoadFixtures(`{"topic":"orders","value":"b"}`)
	broker.ResetTo("seeded") // and it is as it was
	if records := broker.Records("orders", 0); len(records) != 1 {
		t.Errorf("%d records", len(records))
	}
	broker.Reset() // the topics and users of its options, and nothing else
	if topics := broker.Topics(); len(topics) != 0 {
		t.Error(topics)
	}
}
