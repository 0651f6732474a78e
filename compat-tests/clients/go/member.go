package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
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
}

type memberEvent struct {
	Event      string   `json:"e"`
	Partitions []string `json:"p,omitempty"`
	Records    []string `json:"r,omitempty"`
}

type member struct {
	lock     sync.Mutex
	assigned map[string]bool
}

func (m *member) print(event memberEvent) {
	line, err := json.Marshal(event)
	check(err)
	fmt.Println(string(line))
}

func (m *member) change(partitions map[string][]int32, isNow bool) {
	m.lock.Lock()
	defer m.lock.Unlock()
	for topic, numbers := range partitions {
		for _, number := range numbers {
			name := fmt.Sprintf("%s-%d", topic, number)
			if isNow {
				m.assigned[name] = true
			} else {
				delete(m.assigned, name)
			}
		}
	}
	all := []string{}
	for name := range m.assigned {
		all = append(all, name)
	}
	sort.Strings(all)
	m.print(memberEvent{Event: "assigned", Partitions: all})
}

func (m *member) options(bootstrap string, spec memberSpec) []kgo.Opt {
	gained := func(_ context.Context, _ *kgo.Client, p map[string][]int32) { m.change(p, true) }
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

// A member of a group: prints what it is assigned and which records it gets, commits what it has printed, and leaves when its
// input ends.
func runMember(bootstrap, text string) {
	var spec memberSpec
	check(json.Unmarshal([]byte(text), &spec))
	ctx, end := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		end()
	}()
	m := &member{assigned: map[string]bool{}}
	client, err := kgo.NewClient(m.options(bootstrap, spec)...)
	check(err)
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		shown := []string{}
		fetches.EachRecord(func(r *kgo.Record) {
			shown = append(shown, fmt.Sprintf("%s-%d@%d", r.Topic, r.Partition, r.Offset))
		})
		if len(shown) > 0 {
			m.print(memberEvent{Event: "records", Records: shown})
			check(client.CommitUncommittedOffsets(context.Background()))
		}
		client.AllowRebalance()
	}
	client.CloseAllowingRebalance()
	m.print(memberEvent{Event: "left"})
}
