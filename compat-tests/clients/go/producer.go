package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What a producer is to do; src/member.rs says what each field means and what is printed.
type loadSpec struct {
	Name         string `json:"name"`
	Topic        string `json:"topic"`
	Partitions   int    `json:"partitions"`
	PerSecond    int    `json:"per_second"`
	Padding      int    `json:"padding"`
	IsIdempotent bool   `json:"is_idempotent"`
	Acks         string `json:"acks"`
	Codec        string `json:"codec"`
	InFlight     int    `json:"in_flight"`
	RequestMs    int    `json:"request_ms"`
	DeliveryMs   int    `json:"delivery_ms"`
}

func producerOptions(bootstrap string, load loadSpec) []kgo.Opt {
	request := time.Duration(load.RequestMs) * time.Millisecond
	options := []kgo.Opt{
		kgo.SeedBrokers(bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic(load.Topic),
		kgo.ProducerBatchCompression(codec(load.Codec)),
		kgo.ProduceRequestTimeout(request), kgo.RequestTimeoutOverhead(request),
		kgo.RecordDeliveryTimeout(time.Duration(load.DeliveryMs) * time.Millisecond),
	}
	if !load.IsIdempotent {
		// With idempotence the client chooses for itself.
		options = append(options, kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(load.InFlight))
	}
	if load.Acks == "1" {
		options = append(options, kgo.RequiredAcks(kgo.LeaderAck()))
	}
	return options
}

// What the client has told of each record, to be printed.
type answers struct {
	lock          sync.Mutex
	acked, failed []string
}

func (a *answers) hear(number int, r *kgo.Record, err error) {
	a.lock.Lock()
	defer a.lock.Unlock()
	if err != nil {
		a.failed = append(a.failed, fmt.Sprint(number))
	} else {
		a.acked = append(a.acked, fmt.Sprintf("%d@%d", number, r.Offset))
	}
}

func (a *answers) tell() {
	a.lock.Lock()
	defer a.lock.Unlock()
	if len(a.acked) > 0 {
		tell(clientEvent{Event: "acked", Records: a.acked})
	}
	if len(a.failed) > 0 {
		tell(clientEvent{Event: "failed", Records: a.failed})
	}
	a.acked, a.failed = nil, nil
}

func runProducer(bootstrap, text string) {
	var load loadSpec
	check(json.Unmarshal([]byte(text), &load))
	ctx := untilInputEnds()
	client, err := kgo.NewClient(producerOptions(bootstrap, load)...)
	check(err)
	defer client.Close()
	a := &answers{}
	padding := strings.Repeat("x", load.Padding)
	began, sent := time.Now(), 0
	for ctx.Err() == nil {
		due := int(time.Since(began).Milliseconds()) * load.PerSecond / 1000
		if due > sent {
			tell(clientEvent{Event: "sends", Number: due})
		}
		for ; sent < due; sent++ {
			number := sent
			value := fmt.Sprintf("%s-%d:%s", load.Name, number, padding)
			record := &kgo.Record{Value: []byte(value), Partition: int32(number % load.Partitions)}
			client.Produce(context.Background(), record, func(r *kgo.Record, err error) { a.hear(number, r, err) })
		}
		a.tell()
		time.Sleep(20 * time.Millisecond)
	}
	check(client.Flush(context.Background()))
	a.tell()
	tell(clientEvent{Event: "left"})
}
