package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What a member is to do; src/member.rs says what each field means and what is printed.
type memberSpec struct {
	Group     string  `json:"group"`
	Topic     string  `json:"topic"`
	Pattern   *string `json:"pattern"`
	Protocol  string  `json:"protocol"`
	Assignor  string  `json:"assignor"`
	Instance  *string `json:"instance"`
	SessionMs int     `json:"session_ms"`
	RequestMs int     `json:"request_ms"`
	Values    bool    `json:"values"`
	Reads     *int32  `json:"reads"`
	Isolation *string `json:"isolation"`
}

type clientEvent struct {
	Event      string   `json:"e"`
	Partitions []string `json:"p,omitempty"`
	Records    []string `json:"r,omitempty"`
	Number     int      `json:"n,omitempty"`
	At         int64    `json:"at,omitempty"`
}

// Nanoseconds on the clock that all processes of this machine share.
func now() int64 {
	const monotonic = 1
	var time syscall.Timespec
	_, _, failed := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, monotonic, uintptr(unsafe.Pointer(&time)), 0)
	if failed != 0 {
		check(failed)
	}
	return time.Nano()
}

func tell(event clientEvent) {
	line, err := json.Marshal(event)
	check(err)
	fmt.Println(string(line))
}

// Ends the context when the input of this program ends.
func untilInputEnds() context.Context {
	ctx, end := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		end()
	}()
	return ctx
}

func names(partitions map[string][]int32) []string {
	all := []string{}
	for topic, numbers := range partitions {
		for _, number := range numbers {
			all = append(all, fmt.Sprintf("%s-%d", topic, number))
		}
	}
	sort.Strings(all)
	return all
}

type member struct {
	lock     sync.Mutex
	assigned map[string]bool
}

func (m *member) change(partitions map[string][]int32, isNow bool) {
	m.lock.Lock()
	defer m.lock.Unlock()
	for _, name := range names(partitions) {
		if isNow {
			m.assigned[name] = true
		} else {
			delete(m.assigned, name)
		}
	}
	all := []string{}
	for name := range m.assigned {
		all = append(all, name)
	}
	sort.Strings(all)
	tell(clientEvent{Event: "assigned", Partitions: all})
}

func (m *member) options(bootstrap string, spec memberSpec) []kgo.Opt {
	// The client asks where to begin only when this has returned.
	gained := func(_ context.Context, _ *kgo.Client, p map[string][]int32) {
		tell(clientEvent{Event: "gained", Partitions: names(p)})
		m.change(p, true)
	}
	lost := func(_ context.Context, _ *kgo.Client, p map[string][]int32) { m.change(p, false) }
	balancer := map[string]kgo.GroupBalancer{
		"range": kgo.RangeBalancer(), "roundrobin": kgo.RoundRobinBalancer(), "sticky": kgo.StickyBalancer(),
		"cooperative-sticky": kgo.CooperativeStickyBalancer(), "uniform": kgo.StickyBalancer(),
	}[spec.Assignor]
	options := []kgo.Opt{
		kgo.SeedBrokers(bootstrap), kgo.ConsumerGroup(spec.Group), kgo.Balancers(balancer), kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.OnPartitionsAssigned(gained), kgo.OnPartitionsRevoked(lost), kgo.OnPartitionsLost(lost),
		kgo.MetadataMinAge(200 * time.Millisecond), kgo.MetadataMaxAge(time.Second),
	}
	if spec.Protocol == "consumer" {
		options = append(options, kgo.ServerSideBalancer())
	} else {
		options = append(options, kgo.SessionTimeout(time.Duration(spec.SessionMs)*time.Millisecond),
			kgo.HeartbeatInterval(500*time.Millisecond))
	}
	if spec.Pattern != nil {
		options = append(options, kgo.ConsumeRegex(), kgo.ConsumeTopics(*spec.Pattern))
	} else {
		options = append(options, kgo.ConsumeTopics(spec.Topic))
	}
	if spec.Instance != nil {
		options = append(options, kgo.InstanceID(*spec.Instance))
	}
	return options
}

// A reader of whole partitions: from the beginning, and lost if it is told of an offset that is not there.
func readerOptions(bootstrap string, spec memberSpec) []kgo.Opt {
	start := map[int32]kgo.Offset{}
	for partition := int32(0); partition < *spec.Reads; partition++ {
		start[partition] = kgo.NewOffset().At(0)
	}
	return []kgo.Opt{
		kgo.SeedBrokers(bootstrap), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{spec.Topic: start}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
	}
}

// Commits behind these records, and tells which of the commits were taken. While the broker is away, or after a rebalance has
// taken a partition, a commit fails: then the records come again.
func commit(client *kgo.Client, records []*kgo.Record) {
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for _, r := range records {
		if offsets[r.Topic] == nil {
			offsets[r.Topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[r.Topic][r.Partition] = kgo.EpochOffset{Epoch: r.LeaderEpoch, Offset: r.Offset + 1}
	}
	taken := []string{}
	done := func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "commit:", err)
			return
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					fmt.Fprintln(os.Stderr, "commit:", err)
				} else {
					taken = append(taken, fmt.Sprintf("%s-%d@%d", t.Topic, p.Partition, offsets[t.Topic][p.Partition].Offset))
				}
			}
		}
	}
	client.CommitOffsetsSync(context.Background(), offsets, done)
	if len(taken) > 0 {
		tell(clientEvent{Event: "committed", Records: taken})
	}
}

// A member of a group: prints what it is assigned and which records it gets, commits what it has printed, and leaves when its
// input ends.
func runMember(bootstrap, text string) {
	var spec memberSpec
	check(json.Unmarshal([]byte(text), &spec))
	ctx := untilInputEnds()
	m := &member{assigned: map[string]bool{}}
	var options []kgo.Opt
	if spec.Reads != nil {
		options = readerOptions(bootstrap, spec)
	} else {
		options = m.options(bootstrap, spec)
	}
	if spec.Isolation != nil && *spec.Isolation == "read_committed" {
		options = append(options, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	if spec.RequestMs > 0 {
		options = append(options, kgo.RequestTimeoutOverhead(time.Duration(spec.RequestMs)*time.Millisecond))
	}
	client, err := kgo.NewClient(options...)
	check(err)
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		fetches.EachError(func(topic string, partition int32, err error) {
			if ctx.Err() == nil {
				fmt.Fprintln(os.Stderr, "poll:", topic, partition, err)
			}
		})
		shown := []string{}
		fetches.EachRecord(func(r *kgo.Record) {
			told := fmt.Sprintf("%s-%d@%d", r.Topic, r.Partition, r.Offset)
			if spec.Values {
				value, _, _ := strings.Cut(string(r.Value), ":")
				told += "=" + value
			}
			shown = append(shown, told)
		})
		if len(shown) > 0 {
			tell(clientEvent{Event: "records", Records: shown, At: now()})
			if spec.Reads == nil {
				commit(client, fetches.Records())
			}
		}
		client.AllowRebalance()
	}
	client.CloseAllowingRebalance()
	tell(clientEvent{Event: "left"})
}
