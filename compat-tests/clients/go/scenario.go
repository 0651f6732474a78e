package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What franz-go does in a scenario of tests/scenarios/franz.rs, which makes the broker's part happen and looks at what was asked.
// Each ends with code 0 if the client was told what it had to be told.
var scenarios = map[string]func(context.Context, string){
	"produce":     scenarioProduce,
	"impatient":   scenarioImpatient,
	"unconfirmed": scenarioUnconfirmed,
	"recreated":   scenarioRecreated,
	"alternating": scenarioAlternating,
	"group":       scenarioGroup,
	"follow":      scenarioFollow,
	"near":        scenarioNear,
	"recheck":     scenarioRecheck,
	"abort":       scenarioAbort,
	"ping":        scenarioPing,
}

func runScenario(name, bootstrap string) {
	play, found := scenarios[name]
	if !found {
		check(fmt.Errorf("no scenario %q", name))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	play(ctx, bootstrap)
}

// A client that settles quickly, for topic t.
func scenarioClient(bootstrap string, options ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(strings.Split(bootstrap, ",")...), kgo.ClientID("franz"), kgo.DefaultProduceTopic("t"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMinAge(20 * time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }),
		kgo.FetchMaxWait(200 * time.Millisecond),
	}, options...)...)
	check(err)
	return client
}

func write(ctx context.Context, client *kgo.Client, partition int32, value string) error {
	return client.ProduceSync(ctx, &kgo.Record{Partition: partition, Value: []byte(value)}).FirstErr()
}

func mustBe(err, expected error) {
	if !errors.Is(err, expected) {
		check(fmt.Errorf("%v instead of %v", err, expected))
	}
}

func readValues(ctx context.Context, client *kgo.Client, expected ...string) {
	for len(expected) > 0 {
		fetches := client.PollFetches(ctx)
		check(ctx.Err())
		fetches.EachError(func(_ string, _ int32, err error) { check(err) })
		fetches.EachRecord(func(record *kgo.Record) {
			if len(expected) == 0 || string(record.Value) != expected[0] {
				check(fmt.Errorf("%q instead of %q", record.Value, expected))
			}
			expected = expected[1:]
		})
	}
}

func scenarioProduce(ctx context.Context, bootstrap string) {
	client := scenarioClient(bootstrap)
	defer client.Close()
	check(write(ctx, client, 0, "0"))
}

// One retry of its own, as far as what became of the record is known.
func scenarioImpatient(ctx context.Context, bootstrap string) {
	client := scenarioClient(bootstrap, kgo.RecordRetries(1))
	defer client.Close()
	check(write(ctx, client, 0, "0"))
}

func scenarioUnconfirmed(ctx context.Context, bootstrap string) {
	client := scenarioClient(bootstrap, kgo.TransactionalID("x"))
	defer client.Close()
	check(client.BeginTransaction())
	check(write(ctx, client, 0, "lost"))
	if err := client.EndTransaction(ctx, kgo.TryCommit); err == nil {
		check(errors.New("the commit had to fail"))
	}
	check(client.EndTransaction(ctx, kgo.TryAbort))
	check(client.BeginTransaction())
	check(write(ctx, client, 0, "0"))
	check(client.EndTransaction(ctx, kgo.TryCommit))
}

func scenarioRecreated(ctx context.Context, bootstrap string) {
	client := scenarioClient(bootstrap, kgo.UnknownTopicRetries(2))
	defer client.Close()
	check(write(ctx, client, 0, "0"))
	admin := scenarioClient(bootstrap)
	defer admin.Close()
	name := "t"
	remove := kmsg.NewDeleteTopicsRequest()
	remove.TopicNames = []string{name}
	remove.Topics = []kmsg.DeleteTopicsRequestTopic{{Topic: &name}}
	removed, err := remove.RequestWith(ctx, admin)
	check(err)
	check(kerr.ErrorForCode(removed.Topics[0].ErrorCode))
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 1, 1
	create := kmsg.NewCreateTopicsRequest()
	create.Topics = append(create.Topics, topic)
	created, err := create.RequestWith(ctx, admin)
	check(err)
	check(kerr.ErrorForCode(created.Topics[0].ErrorCode))
	mustBe(write(ctx, client, 0, "1"), kerr.UnknownTopicID)
}

func scenarioAlternating(ctx context.Context, bootstrap string) {
	client := scenarioClient(bootstrap, kgo.UnknownTopicRetries(2))
	defer client.Close()
	mustBe(write(ctx, client, 0, "0"), kerr.UnknownTopicOrPartition)
}

// A member of a group of the consumer protocol, which reads on where the group has committed.
func scenarioGroup(ctx context.Context, bootstrap string) {
	optedIn := context.WithValue(ctx, "opt_in_kafka_next_gen_balancer_beta", true)
	client := scenarioClient(bootstrap, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.WithContext(optedIn),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
	defer client.Close()
	readValues(ctx, client, "3", "4")
	check(client.CommitUncommittedOffsets(ctx))
}

func scenarioFollow(ctx context.Context, bootstrap string) {
	client := scenarioClient(bootstrap, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.MetadataMaxAge(100*time.Millisecond))
	defer client.Close()
	readValues(ctx, client, "0", "1")
}

// A consumer in a rack, one batch a Fetch.
func scenarioNear(ctx context.Context, bootstrap string) {
	client := scenarioClient(bootstrap, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.Rack("near"), kgo.DisableFetchSessions(), kgo.FetchMaxBytes(1), kgo.FetchMaxPartitionBytes(1))
	defer client.Close()
	readValues(ctx, client, "0", "1", "2", "3", "4")
}

// A consumer that asks the leader again where it is to read.
func scenarioRecheck(ctx context.Context, bootstrap string) {
	client := scenarioClient(bootstrap, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.Rack("near"), kgo.RecheckPreferredReplicaInterval(100*time.Millisecond))
	defer client.Close()
	readValues(ctx, client, "0", "1")
}

// A partition cannot be added to a transaction that another one is in already.
func scenarioAbort(ctx context.Context, bootstrap string) {
	client := scenarioClient(bootstrap, kgo.TransactionalID("x"))
	defer client.Close()
	check(client.BeginTransaction())
	check(write(ctx, client, 0, "0"))
	if err := write(ctx, client, 1, "1"); err == nil {
		check(errors.New("the second partition had to be refused"))
	}
	if err := client.EndTransaction(ctx, kgo.TryCommit); err == nil {
		check(errors.New("the commit had to be refused"))
	}
	check(client.EndTransaction(ctx, kgo.TryAbort))
}

func scenarioPing(ctx context.Context, bootstrap string) {
	client := scenarioClient(bootstrap, kgo.RequestRetries(2))
	defer client.Close()
	if err := client.Ping(ctx); err == nil || ctx.Err() != nil {
		check(fmt.Errorf("the ping had to fail: %v", err))
	}
}
