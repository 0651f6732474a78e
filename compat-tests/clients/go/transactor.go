package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What a transactional client is to do; src/transactor.rs says what each field means and what is printed.
type jobSpec struct {
	Name            string  `json:"name"`
	TransactionalID string  `json:"transactional_id"`
	Topic           string  `json:"topic"`
	Partitions      int     `json:"partitions"`
	Input           *string `json:"input"`
	Group           *string `json:"group"`
	PerSecond       int     `json:"per_second"`
	Records         int     `json:"records"`
	Aborts          int     `json:"aborts"`
	Abandons        int     `json:"abandons"`
	RestMs          int     `json:"rest_ms"`
	Padding         int     `json:"padding"`
	TimeoutMs       int     `json:"timeout_ms"`
	SessionMs       int     `json:"session_ms"`
	RequestMs       int     `json:"request_ms"`
	Seed            int64   `json:"seed"`
}

type transactor struct {
	job       jobSpec
	bootstrap string
	random    *rand.Rand
	number    int
	due       time.Time
}

// No call hangs for longer: the client is replaced then.
const patience = 30 * time.Second

func (t *transactor) options() []kgo.Opt {
	request := time.Duration(t.job.RequestMs) * time.Millisecond
	return []kgo.Opt{
		kgo.SeedBrokers(t.bootstrap), kgo.TransactionalID(t.job.TransactionalID), kgo.DefaultProduceTopic(t.job.Topic),
		kgo.TransactionTimeout(time.Duration(t.job.TimeoutMs) * time.Millisecond),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProduceRequestTimeout(request),
		kgo.RequestTimeoutOverhead(request), kgo.MetadataMinAge(200 * time.Millisecond),
		kgo.ProducerBatchCompression(kgo.SnappyCompression()),
	}
}

func (t *transactor) sessionOptions() []kgo.Opt {
	return append(t.options(),
		kgo.ConsumerGroup(*t.job.Group), kgo.ConsumeTopics(*t.job.Input), kgo.Balancers(kgo.RangeBalancer()),
		kgo.SessionTimeout(time.Duration(t.job.SessionMs)*time.Millisecond), kgo.HeartbeatInterval(500*time.Millisecond),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.MetadataMaxAge(time.Second))
}

// Until the next transaction may begin.
func (t *transactor) pace() {
	time.Sleep(time.Until(t.due))
	t.due = time.Now().Add(time.Second / time.Duration(t.job.PerSecond))
}

// Before another client takes this one's place.
func (t *transactor) rest(why any) {
	fmt.Fprintf(os.Stderr, "%s: begins anew: %v\n", t.job.Name, why)
	time.Sleep(time.Duration(50+t.random.Intn(t.job.RestMs+1)) * time.Millisecond)
}

func (t *transactor) record(partition int32, value string) *kgo.Record {
	return &kgo.Record{Value: []byte(value + ":" + strings.Repeat("x", t.job.Padding)), Partition: partition}
}

// Tells what is about to be written.
func (t *transactor) write(records []*kgo.Record, produce func(*kgo.Record)) {
	shown := []string{}
	for _, r := range records {
		value, _, _ := strings.Cut(string(r.Value), ":")
		shown = append(shown, fmt.Sprintf("%s-%d=%s", t.job.Topic, r.Partition, value))
	}
	tell(clientEvent{Event: "writes", Records: shown, At: now()})
	for _, r := range records {
		produce(r)
	}
	time.Sleep(time.Duration(t.random.Intn(40)) * time.Millisecond)
}

// How a transaction is to end.
func (t *transactor) fate() string {
	switch drawn := t.random.Intn(100); {
	case drawn < t.job.Abandons:
		return "abandon"
	case drawn < t.job.Abandons+t.job.Aborts:
		return "abort"
	default:
		return "commit"
	}
}

// Whether the client can go on.
func (t *transactor) attempt(client *kgo.Client) error {
	if err := client.BeginTransaction(); err != nil {
		return err
	}
	tell(clientEvent{Event: "begins", Number: t.number, At: now()})
	records := []*kgo.Record{}
	for n := 0; n < 1+t.random.Intn(t.job.Records); n++ {
		value := fmt.Sprintf("%s.%d.%d", t.job.Name, t.number, n)
		records = append(records, t.record(int32(t.random.Intn(t.job.Partitions)), value))
	}
	t.number++
	failed := make(chan error, len(records))
	t.write(records, func(r *kgo.Record) {
		client.Produce(context.Background(), r, func(_ *kgo.Record, err error) { failed <- err })
	})
	fate := t.fate()
	if fate == "abandon" {
		return fmt.Errorf("as told")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if fate == "commit" {
		if err := client.Flush(ctx); err != nil {
			return err
		}
		for range records {
			if err := <-failed; err != nil {
				fate = "abort"
				fmt.Fprintf(os.Stderr, "%s: aborts: %v\n", t.job.Name, err)
			}
		}
	}
	if fate == "abort" {
		if err := client.AbortBufferedRecords(ctx); err != nil {
			return err
		}
		if err := client.EndTransaction(ctx, kgo.TryAbort); err != nil {
			return err
		}
		tell(clientEvent{Event: "aborted", At: now()})
		return nil
	}
	tell(clientEvent{Event: "commits", At: now()})
	if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return err
	}
	tell(clientEvent{Event: "committed", At: now()})
	return nil
}

func (t *transactor) produce(ends context.Context) {
	for ends.Err() == nil {
		client, err := kgo.NewClient(t.options()...)
		check(err)
		for err == nil && ends.Err() == nil {
			t.pace()
			err = t.attempt(client)
		}
		client.Close()
		if err != nil {
			t.rest(err)
		}
	}
}

// Whether the session can go on.
func (t *transactor) step(session *kgo.GroupTransactSession, fetches kgo.Fetches) error {
	if err := session.Begin(); err != nil {
		return err
	}
	tell(clientEvent{Event: "begins", Number: t.number, At: now()})
	records := []*kgo.Record{}
	fetches.EachRecord(func(r *kgo.Record) {
		value := fmt.Sprintf("%s.%d.%d<%s-%d@%d", t.job.Name, t.number, len(records), r.Topic, r.Partition, r.Offset)
		records = append(records, t.record(r.Partition%int32(t.job.Partitions), value))
	})
	t.number++
	failed := make(chan error, len(records))
	t.write(records, func(r *kgo.Record) {
		session.Produce(context.Background(), r, func(_ *kgo.Record, err error) { failed <- err })
	})
	fate := t.fate()
	if fate == "abandon" {
		return fmt.Errorf("as told")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	end := kgo.TryAbort
	if fate == "commit" {
		end = kgo.TryCommit
		if err := session.Client().Flush(ctx); err != nil {
			return err
		}
		for range records {
			if err := <-failed; err != nil {
				end = kgo.TryAbort
			}
		}
	}
	if end == kgo.TryCommit {
		tell(clientEvent{Event: "commits", At: now()})
	}
	told := kgo.PreTxnCommitFnContext(ctx, func(request *kmsg.TxnOffsetCommitRequest) error {
		offsets := []string{}
		for _, topic := range request.Topics {
			for _, partition := range topic.Partitions {
				offsets = append(offsets, fmt.Sprintf("%s-%d@%d", *t.job.Input, partition.Partition, partition.Offset))
			}
		}
		tell(clientEvent{Event: "offsets", Records: offsets, At: now()})
		return nil
	})
	committed, err := session.End(told, end)
	switch {
	case err != nil:
		return err
	case committed:
		tell(clientEvent{Event: "committed", At: now()})
	default:
		tell(clientEvent{Event: "aborted", At: now()})
	}
	return nil
}

func (t *transactor) process(ends context.Context) {
	for ends.Err() == nil {
		session, err := kgo.NewGroupTransactSession(t.sessionOptions()...)
		check(err)
		for err == nil && ends.Err() == nil {
			poll, cancel := context.WithTimeout(ends, time.Second)
			fetches := session.PollRecords(poll, t.job.Records)
			cancel()
			if len(fetches.Records()) > 0 {
				t.pace()
				err = t.step(session, fetches)
			}
		}
		session.Close()
		if err != nil {
			t.rest(err)
		}
	}
}

func runTransactor(bootstrap, text string) {
	t := &transactor{bootstrap: bootstrap, due: time.Now()}
	check(json.Unmarshal([]byte(text), &t.job))
	t.random = rand.New(rand.NewSource(t.job.Seed))
	ends := untilInputEnds()
	if t.job.Group != nil {
		t.process(ends)
	} else {
		t.produce(ends)
	}
	tell(clientEvent{Event: "left"})
}
