// franz-go as a program: `produce BOOTSTRAP TOPIC CODEC` reads records as JSON lines and writes them to partition 0,
// `consume BOOTSTRAP TOPIC COUNT` reads partition 0 from its beginning and prints them, without a group; `member BOOTSTRAP
// JSON` is a member of a group, `producer BOOTSTRAP JSON` a producer that tells what became of each record, `transactor
// BOOTSTRAP JSON` a client with transactions, `login LIBRARY` comes in by the ways that it reads, `scenario NAME BOOTSTRAP` plays
// a part of tests/scenarios.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

type header struct {
	Name  string `json:"n"`
	Value []byte `json:"v"`
}

type record struct {
	Timestamp *int64   `json:"t"`
	Key       []byte   `json:"k"`
	Value     []byte   `json:"v"`
	Headers   []header `json:"h"`
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "franz-go:", err)
		os.Exit(1)
	}
}

func codec(name string) kgo.CompressionCodec {
	switch name {
	case "none":
		return kgo.NoCompression()
	case "gzip":
		return kgo.GzipCompression()
	case "snappy":
		return kgo.SnappyCompression()
	case "lz4":
		return kgo.Lz4Compression()
	case "zstd":
		return kgo.ZstdCompression()
	}
	check(fmt.Errorf("unknown codec %q", name))
	return kgo.NoCompression()
}

func produce(ctx context.Context, bootstrap, topic, codecName string) {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codec(codecName)), kgo.DefaultProduceTopic(topic))
	check(err)
	defer client.Close()
	in := json.NewDecoder(bufio.NewReaderSize(os.Stdin, 1<<20))
	for in.More() {
		var r record
		check(in.Decode(&r))
		out := &kgo.Record{Key: r.Key, Value: r.Value, Partition: 0}
		if r.Timestamp != nil {
			out.Timestamp = time.UnixMilli(*r.Timestamp)
		}
		for _, h := range r.Headers {
			out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Name, Value: h.Value})
		}
		client.Produce(ctx, out, func(_ *kgo.Record, err error) { check(err) })
	}
	check(client.Flush(ctx))
}

func consume(ctx context.Context, bootstrap, topic string, count int) {
	start := map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumePartitions(start))
	check(err)
	defer client.Close()
	buffered := bufio.NewWriterSize(os.Stdout, 1<<20)
	defer buffered.Flush()
	out := json.NewEncoder(buffered)
	for seen := 0; seen < count; {
		fetches := client.PollFetches(ctx)
		fetches.EachError(func(_ string, _ int32, err error) { check(err) })
		fetches.EachRecord(func(r *kgo.Record) {
			seen++
			at := r.Timestamp.UnixMilli()
			printed := record{Timestamp: &at, Key: r.Key, Value: r.Value, Headers: []header{}}
			for _, h := range r.Headers {
				printed.Headers = append(printed.Headers, header{h.Key, h.Value})
			}
			check(out.Encode(printed))
		})
	}
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "login" {
		runLogins(os.Args[2])
		return
	}
	if len(os.Args) == 4 && os.Args[1] == "member" {
		runMember(os.Args[2], os.Args[3])
		return
	}
	if len(os.Args) == 4 && os.Args[1] == "producer" {
		runProducer(os.Args[2], os.Args[3])
		return
	}
	if len(os.Args) == 4 && os.Args[1] == "transactor" {
		runTransactor(os.Args[2], os.Args[3])
		return
	}
	if len(os.Args) == 4 && os.Args[1] == "scenario" {
		runScenario(os.Args[2], os.Args[3])
		return
	}
	if len(os.Args) != 5 {
		check(fmt.Errorf("usage: produce BOOTSTRAP TOPIC CODEC | consume BOOTSTRAP TOPIC COUNT"))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	switch os.Args[1] {
	case "produce":
		produce(ctx, os.Args[2], os.Args[3], os.Args[4])
	case "consume":
		count, err := strconv.Atoi(os.Args[4])
		check(err)
		consume(ctx, os.Args[2], os.Args[3], count)
	}
}
