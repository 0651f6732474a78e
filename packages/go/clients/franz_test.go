// Package clients has klammtest's tests with franz-go.
package clients

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"klamm/klammtest"
)

// deadline is how long anything here may take on a busy machine.
const deadline = time.Minute

// until looks again and again, until it is so or the time is over.
func until(t *testing.T, sentence string, isSo func() bool) {
	t.Helper()
	for end := time.Now().Add(deadline); !isSo(); {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", sentence, deadline)
		}
	}
}

func client(t *testing.T, broker *klammtest.Broker, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	retry := kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond })
	usual := []kgo.Opt{kgo.SeedBrokers(broker.Brokers()...), retry, kgo.MetadataMinAge(10 * time.Millisecond), kgo.ClientID("shop")}
	client, err := kgo.NewClient(append(usual, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func send(t *testing.T, broker *klammtest.Broker, topic string, values ...string) error {
	t.Helper()
	producer := client(t, broker, kgo.DefaultProduceTopic(topic))
	for _, value := range values {
		if err := producer.ProduceSync(t.Context(), kgo.StringRecord(value)).FirstErr(); err != nil {
			return err
		}
	}
	return nil
}

// offsets are the first of the topic's partition 0, and the one behind its last.
func offsets(t *testing.T, broker *klammtest.Broker, topic string) [2]int64 {
	t.Helper()
	admin := kadm.NewClient(client(t, broker))
	first, err := admin.ListStartOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	last, err := admin.ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	start, _ := first.Lookup(topic, 0)
	end, _ := last.Lookup(topic, 0)
	return [2]int64{start.Offset, end.Offset}
}

// poll reads so many records.
func poll(ctx context.Context, t *testing.T, consumer *kgo.Client, count int) []string {
	t.Helper()
	var values []string
	for len(values) < count {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(record *kgo.Record) { values = append(values, string(record.Value)) })
	}
	return values
}

// holds fails where the topic's partition 0 has other records than these; a client of its own reads them.
func holds(t *testing.T, broker *klammtest.Broker, topic string, values ...string) {
	t.Helper()
	if found := offsets(t, broker, topic); found != [2]int64{0, int64(len(values))} {
		t.Error(found)
	}
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	reader := client(t, broker, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer reader.Close()
	if found := poll(ctx, t, reader, len(values)); !slices.Equal(found, values) {
		t.Error(found)
	}
}

func TestProduceAndConsume(t *testing.T) {
	t.Parallel()
	broker := klammtest.Start(t, klammtest.Topic("orders", 1))
	if err := send(t, broker, "orders", "a", "b", "c"); err != nil {
		t.Fatal(err)
	}
	consumer := client(t, broker, kgo.ConsumerGroup("readers"), kgo.ConsumeTopics("orders"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	if values := poll(ctx, t, consumer, 3); !slices.Equal(values, []string{"a", "b", "c"}) {
		t.Error(values)
	}
	broker.WaitFor(klammtest.GroupMembers("readers", 1))
	if err := consumer.CommitUncommittedOffsets(ctx); err != nil {
		t.Error(err)
	}
	broker.WaitFor(klammtest.GroupLag("readers", 0))
	consumer.Close()
	broker.WaitFor(klammtest.GroupMembers("readers", 0))
}

func TestARefusalIsRetried(t *testing.T) {
	t.Parallel()
	broker := klammtest.Start(t, klammtest.Topic("orders", 1))
	fault := broker.Fault(klammtest.Match{API: "Produce", Topic: "orders"}, klammtest.Error("NOT_LEADER_OR_FOLLOWER"), klammtest.Count(2))
	if err := send(t, broker, "orders", "a"); err != nil {
		t.Fatal(err)
	}
	if fault.Struck() != 2 || !fault.Over() {
		t.Errorf("struck %d times", fault.Struck())
	}
	broker.AssertRequests(klammtest.Filter{API: "Produce", Error: "NOT_LEADER_OR_FOLLOWER"}, klammtest.Exactly(2))
	broker.AssertRequests(klammtest.Filter{API: "Produce", Topic: "orders"}, klammtest.Exactly(3))
}

func TestALostAcknowledgementWritesOnce(t *testing.T) {
	t.Parallel()
	broker := klammtest.Start(t, klammtest.Topic("orders", 1))
	lost := broker.Fault(klammtest.Match{API: "Produce"}, klammtest.CloseConnection().After(), klammtest.Count(1))
	if err := send(t, broker, "orders", "a"); err != nil {
		t.Fatal(err)
	}
	if lost.Struck() != 1 {
		t.Errorf("struck %d times", lost.Struck())
	}
	if found := offsets(t, broker, "orders"); found != [2]int64{0, 1} {
		t.Error(found)
	}
	broker.AssertRequests(klammtest.Filter{API: "Produce"}, klammtest.AtLeast(2))
}

func TestAnErrorThatIsNotRetried(t *testing.T) {
	t.Parallel()
	broker := klammtest.Start(t, klammtest.Topic("orders", 1))
	broker.Fault(klammtest.Match{API: "Produce"}, klammtest.Error("MESSAGE_TOO_LARGE"))
	if err := send(t, broker, "orders", "a"); !errors.Is(err, kerr.MessageTooLarge) {
		t.Error(err)
	}
	if removed := broker.RemoveFaults(); removed != 1 {
		t.Errorf("%d rules", removed)
	}
	if err := send(t, broker, "orders", "a"); err != nil {
		t.Error(err)
	}
}

func TestAHeldRequestGoesOn(t *testing.T) {
	t.Parallel()
	broker := klammtest.Start(t, klammtest.Topic("orders", 1))
	fault := broker.Fault(klammtest.Match{API: "Produce"}, klammtest.Hold())
	producer, sent := client(t, broker, kgo.DefaultProduceTopic("orders")), make(chan error, 1)
	producer.Produce(t.Context(), kgo.StringRecord("a"), func(_ *kgo.Record, err error) { sent <- err })
	until(t, "a Produce is held", func() bool { return fault.Struck() > 0 })
	if len(sent) != 0 {
		t.Error("it was answered")
	}
	fault.Release()
	select {
	case err := <-sent:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(deadline):
		t.Errorf("it was not answered within %v", deadline)
	}
}

func TestAnHourPasses(t *testing.T) {
	t.Parallel()
	broker := klammtest.Start(t, klammtest.TopicWith("orders", 1, map[string]string{"retention.ms": "60000"}))
	broker.Clock().Freeze()
	if err := send(t, broker, "orders", "a", "b"); err != nil {
		t.Fatal(err)
	}
	if found := offsets(t, broker, "orders"); found != [2]int64{0, 2} {
		t.Error(found)
	}
	broker.Clock().Advance(time.Hour)
	if found := offsets(t, broker, "orders"); found != [2]int64{2, 2} {
		t.Error(found)
	}
}

func TestWhatWasSent(t *testing.T) {
	t.Parallel()
	broker := klammtest.Start(t, klammtest.Topic("orders", 1))
	if err := send(t, broker, "orders", "a"); err != nil {
		t.Fatal(err)
	}
	requests := broker.Requests(klammtest.Filter{API: "Produce", ClientID: "shop", Topic: "orders"})
	if len(requests) != 1 {
		t.Fatal(requests)
	}
	sent := requests[0]
	var body struct {
		TopicData []struct {
			PartitionData []struct {
				Records struct {
					Batches []struct{ Records []struct{ Value string } }
				}
			}
		}
	}
	if err := json.Unmarshal(sent.Request, &body); err != nil {
		t.Fatal(err)
	}
	if value := body.TopicData[0].PartitionData[0].Records.Batches[0].Records[0].Value; value != "a" {
		t.Error(value)
	}
	if sent.API != "Produce" || sent.Software == "" || len(sent.Errors) != 0 || len(sent.Answer) == 0 {
		t.Errorf("%+v", sent)
	}
}

func TestALoginOverTLS(t *testing.T) {
	t.Parallel()
	broker := klammtest.Start(t, klammtest.Topic("orders", 1), klammtest.User("alice", "secret"), klammtest.TLS())
	login := scram.Auth{User: "alice", Pass: "secret"}.AsSha512Mechanism()
	producer := client(t, broker, kgo.DialTLSConfig(broker.TLSConfig()), kgo.SASL(login), kgo.DefaultProduceTopic("orders"))
	if err := producer.ProduceSync(t.Context(), kgo.StringRecord("a")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	broker.AssertRequests(klammtest.Filter{API: "Produce", Principal: "User:alice"}, klammtest.Exactly(1))
}

func TestBrokersSideBySide(t *testing.T) {
	t.Parallel()
	old := klammtest.Start(t, klammtest.AsVersion("2.8"), klammtest.Topic("orders", 1))
	strict := klammtest.Start(t, klammtest.Override("auto.create.topics.enable", "false"))
	if err := send(t, old, "orders", "a"); err != nil {
		t.Error(err)
	}
	producer := client(t, strict, kgo.UnknownTopicRetries(0), kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic("orders"))
	if err := producer.ProduceSync(t.Context(), kgo.StringRecord("a")).FirstErr(); !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Error(err)
	}
}

func TestBackToASnapshotAndToTheBeginning(t *testing.T) {
	t.Parallel()
	broker := klammtest.Start(t, klammtest.Topic("orders", 1))
	if err := send(t, broker, "orders", "a", "b"); err != nil {
		t.Fatal(err)
	}
	broker.Snapshot("seeded")
	if err := send(t, broker, "orders", "c"); err != nil {
		t.Fatal(err)
	}
	holds(t, broker, "orders", "a", "b", "c")
	broker.ResetTo("seeded")
	broker.WaitFor(klammtest.TopicRecords("orders", 2))
	holds(t, broker, "orders", "a", "b")
	broker.Reset()
	broker.WaitFor(klammtest.TopicRecords("orders", 0))
	holds(t, broker, "orders")
	if err := send(t, broker, "orders", "d"); err != nil {
		t.Fatal(err)
	}
	holds(t, broker, "orders", "d")
}

func TestMembersAreExpiredAndARebalanceIsForced(t *testing.T) {
	t.Parallel()
	broker := klammtest.Start(t, klammtest.Topic("orders", 1))
	var assigned atomic.Int32
	client(t, broker, kgo.ConsumerGroup("readers"), kgo.ConsumeTopics("orders"), kgo.HeartbeatInterval(100*time.Millisecond),
		kgo.Balancers(kgo.RangeBalancer()),
		kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) { assigned.Add(1) }))
	until(t, "it has joined", func() bool { return assigned.Load() == 1 })
	broker.ForceRebalance("readers")
	until(t, "it has joined again", func() bool { return assigned.Load() > 1 })
	for _, isNamed := range []bool{true, false} {
		broker.WaitFor(klammtest.GroupMembers("readers", 1), klammtest.Within(deadline))
		before := broker.Group("readers").Members[0].ID
		if isNamed {
			broker.ExpireMember("readers", before)
		} else {
			broker.ExpireMembers("readers")
		}
		until(t, "another member is there", func() bool {
			members := broker.Group("readers").Members
			return len(members) == 1 && members[0].ID != before
		})
	}
	if groups := broker.Groups(); len(groups) != 1 || groups[0].Name != "readers" || len(groups[0].Raw) == 0 {
		t.Errorf("%+v", groups)
	}
}

func TestAProducerIsFenced(t *testing.T) {
	t.Parallel()
	broker := klammtest.Start(t, klammtest.Topic("orders", 1))
	producer := client(t, broker, kgo.TransactionalID("payments"), kgo.DefaultProduceTopic("orders"))
	if err := producer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := producer.ProduceSync(t.Context(), kgo.StringRecord("a")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	broker.FenceProducer("payments")
	err := producer.EndTransaction(t.Context(), kgo.TryCommit)
	if !errors.Is(err, kerr.ProducerFenced) && !errors.Is(err, kerr.InvalidProducerEpoch) {
		t.Error(err)
	}
	records := broker.Records("orders", 0)
	if len(records) != 2 || records[0].Transaction != "aborted" || records[1].Control != "Abort" {
		t.Errorf("%+v", records)
	}
}

// leader is the broker that leads the topic's partition 0.
func leader(broker *klammtest.Broker, topic string) int {
	return broker.Topic(topic).Partitions[0].Leader
}

func TestConsumersAreSentToAFollowerAndToldOfOtherBrokers(t *testing.T) {
	t.Parallel()
	broker := klammtest.Start(t, klammtest.Brokers(3), klammtest.Topic("orders", 1))
	if err := send(t, broker, "orders", "a"); err != nil {
		t.Fatal(err)
	}
	follower := leader(broker, "orders")%3 + 1
	broker.SetFollower("orders", 0, follower)
	reader := client(t, broker, kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	poll(ctx, t, reader, 1)
	broker.AssertRequests(klammtest.Filter{API: "Fetch", Broker: follower}, klammtest.AtLeast(1))
	broker.SetLaggingFollower("orders", 0, follower, 0, 1)
	broker.UnsetFollower("orders", 0)

	broker.SetRack(1, "a")
	broker.SetRack(2, "")
	broker.HideBroker(3, true)
	states := broker.BrokerStates()
	if states[0].Rack != "a" || states[1].Rack != "" || states[0].Hidden || !states[2].Hidden {
		t.Errorf("%+v", states)
	}
	broker.HideBroker(3, false)
	broker.TellLeader("orders", 0, 9, 7)
	broker.TellTrueLeader("orders", 0)
	broker.SetAddress(2, "proxy.test", 9192)
	broker.SetAddress(2, "", 0)
	if broker.BrokerStates()[2].Hidden {
		t.Error("it is hidden")
	}
}

func TestLeadersAndCoordinatorsMoveAndABrokerGoesDown(t *testing.T) {
	t.Parallel()
	broker := klammtest.Start(t, klammtest.Brokers(3), klammtest.Topic("orders", 1))
	var addresses []string
	for i, state := range broker.BrokerStates() {
		addresses = append(addresses, fmt.Sprintf("%s:%d", state.Listeners[0].Host, state.Listeners[0].Port))
		if state.ID != i+1 || state.Rack != fmt.Sprintf("rack-%d", i+1) || !state.Up {
			t.Errorf("%+v", state)
		}
	}
	if !slices.Equal(addresses, broker.Brokers()) || strings.Join(addresses, ",") != broker.BootstrapServers() {
		t.Error(addresses, broker.Brokers())
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(send(t, broker, "orders", "a"))
	// The metadata of before are shown once more, and the one that leads now is asked.
	stale := broker.Fault(klammtest.Match{API: "Metadata"}, klammtest.Stale(), klammtest.Count(1))
	moved := leader(broker, "orders")%3 + 1
	refusal := broker.Fault(klammtest.Match{API: "Produce", Broker: moved}, klammtest.Error("NOT_ENOUGH_REPLICAS"), klammtest.Count(1))
	broker.MoveLeader("orders", 0, moved)
	if leader(broker, "orders") != moved {
		t.Errorf("%d leads", leader(broker, "orders"))
	}
	must(send(t, broker, "orders", "b"))
	if stale.Struck() != 1 || refusal.Struck() != 1 {
		t.Errorf("%d stale answers, %d refusals", stale.Struck(), refusal.Struck())
	}
	holds(t, broker, "orders", "a", "b")

	reader := client(t, broker, kgo.ConsumerGroup("readers"), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	poll(ctx, t, reader, 2)
	broker.MoveGroupCoordinator("readers", moved)
	must(reader.CommitUncommittedOffsets(ctx))
	broker.WaitFor(klammtest.GroupLag("readers", 0))
	reader.Close()

	broker.TakeBrokerDown(moved)
	if down := broker.BrokerStates()[moved-1]; down.Up || down.Leads != 0 {
		t.Errorf("%+v", down)
	}
	must(send(t, broker, "orders", "c"))
	broker.BringBrokerUp(moved)
	if up := broker.BrokerStates()[moved-1]; !up.Up || leader(broker, "orders") == moved {
		t.Errorf("%+v, and %d leads", up, leader(broker, "orders"))
	}
	holds(t, broker, "orders", "a", "b", "c")
}

func TestTheDiskIsFullAndABatchIsBroken(t *testing.T) {
	t.Parallel()
	broker := klammtest.Start(t, klammtest.Topic("orders", 1))
	broker.SetDiskFull(true)
	producer := client(t, broker, kgo.DefaultProduceTopic("orders"), kgo.RecordRetries(1))
	if err := producer.ProduceSync(t.Context(), kgo.StringRecord("a")).FirstErr(); !errors.Is(err, kerr.KafkaStorageError) {
		t.Error(err)
	}
	broker.SetDiskFull(false)
	broker.SetDiskSyncTime(time.Millisecond)
	broker.SetDiskSyncsFail(false)
	broker.LoadFixtures(`{"topic":"orders","value":"a"}` + "\n" + `{"topic":"orders","value":"b"}`)
	if base := broker.CorruptBatch("orders", 0, 1); base != 0 {
		t.Errorf("the batch begins at %d", base)
	}
}

func TestRecordsThatFillNoPageAreAllShown(t *testing.T) {
	t.Parallel()
	broker := klammtest.Start(t, klammtest.Topic("orders", 1))
	broker.LoadFixtures(strings.Repeat(fmt.Sprintf(`{"topic":"orders","value":%q}`+"\n", strings.Repeat("x", 16_000)), 400))
	records := broker.Records("orders", 0)
	if len(records) != 400 || records[0].Offset != 0 || records[399].Offset != 399 {
		t.Errorf("%d records", len(records))
	}
	if records := broker.RecordsBefore("orders", 0, 300); len(records) != 300 {
		t.Errorf("%d records", len(records))
	}
}

func TestTheCoordinatorOfATransactionMoves(t *testing.T) {
	t.Parallel()
	broker := klammtest.Start(t, klammtest.Brokers(3), klammtest.Topic("orders", 1))
	producer := client(t, broker, kgo.TransactionalID("payments"), kgo.DefaultProduceTopic("orders"))
	if err := producer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := producer.ProduceSync(t.Context(), kgo.StringRecord("a")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	for to := 1; to <= 3; to++ {
		broker.MoveTransactionCoordinator("payments", to)
	}
	if err := producer.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	broker.WaitFor(klammtest.TransactionEnd("payments"))
	if records := broker.Records("orders", 0); records[0].Transaction != "committed" {
		t.Errorf("%+v", records)
	}
}
