package klammtest

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// mostRecords is how many records the broker shows at most.
const mostRecords = 1000

// TopicState is a topic with the configs that are set on it.
type TopicState struct {
	Name       string `json:"topic"`
	ID         string
	Internal   bool
	Records    int64 // between the first offsets and the high watermarks
	Bytes      int64
	Configs    map[string]string
	Partitions []PartitionState
}

// PartitionState is a partition; from Start on it is what this broker has of it.
type PartitionState struct {
	Partition   int
	Leader      int
	LeaderEpoch int `json:"leader_epoch"`
	Replicas    []int
	ISR         []int
	Start       int64
	End         int64
	LastStable  int64 `json:"last_stable"`
	Bytes       int64
	Segments    int
}

// Topics are all topics.
func (b *Broker) Topics() []TopicState {
	b.t.Helper()
	return b.topics("")
}

// Topic is the topic of this name; the test ends where there is none.
func (b *Broker) Topic(name string) TopicState {
	b.t.Helper()
	return b.topics(name)[0]
}

func (b *Broker) topics(name string) []TopicState {
	b.t.Helper()
	var found struct{ Topics []TopicState }
	b.must(b.control.ask(http.MethodGet, "/v1/topics", named("topic", name), nil, &found))
	return found.Topics
}

// BrokerState is a broker that the process plays.
type BrokerState struct {
	ID        int `json:"broker"`
	Rack      string
	Up        bool
	Hidden    bool // in no list that clients are told
	Leads     int  // so many partitions
	Listeners []ListenerState
}

// ListenerState is where a broker listens.
type ListenerState struct {
	Name string `json:"listener"`
	Host string
	Port int
}

// BrokerStates are the brokers that the process plays, in the order of their ids.
func (b *Broker) BrokerStates() []BrokerState {
	b.t.Helper()
	var found struct{ Brokers []BrokerState }
	b.must(b.control.ask(http.MethodGet, "/v1/brokers", nil, nil, &found))
	return found.Brokers
}

// GroupState is a group, how far it is behind, and why its consumers do not read.
type GroupState struct {
	Name     string `json:"group"`
	Type     string
	State    string
	Protocol string
	Members  []MemberState
	Lag      *int64 // nil where nothing is committed
	Why      []string
	Raw      json.RawMessage `json:"-"` // all that the broker tells of it
}

// MemberState is a member of a group.
type MemberState struct {
	ID         string  `json:"member_id"`
	InstanceID *string `json:"instance_id"`
	ClientID   string  `json:"client_id"`
	Host       string
	Subscribed []string
}

// Groups are all groups.
func (b *Broker) Groups() []GroupState {
	b.t.Helper()
	return b.groups("")
}

// Group is the group of this id; the test ends where there is none.
func (b *Broker) Group(id string) GroupState {
	b.t.Helper()
	return b.groups(id)[0]
}

func (b *Broker) groups(id string) []GroupState {
	b.t.Helper()
	var raw struct{ Groups []json.RawMessage }
	b.must(b.control.ask(http.MethodGet, "/v1/groups", named("group", id), nil, &raw))
	found := make([]GroupState, len(raw.Groups))
	for i, text := range raw.Groups {
		b.must(json.Unmarshal(text, &found[i]))
		found[i].Raw = text
	}
	return found
}

// StoredRecord is a record in a log. A marker of a transaction is one as well: it has neither key, value nor headers.
type StoredRecord struct {
	Offset      int64
	Timestamp   time.Time
	Key         []byte // nil where there is none
	Value       []byte // nil where there is none
	Headers     []Header
	Transaction string // open, committed or aborted
	Control     string // of a marker
	// Cut is whether a key, a value or a header was larger than 16 KiB; then it has its beginning alone.
	Cut bool
}

// Header is a header of a record.
type Header struct {
	Key   string
	Value []byte
}

// UnmarshalJSON takes a record as the broker shows it.
func (r *StoredRecord) UnmarshalJSON(text []byte) error {
	var raw struct {
		Offset               int64
		Timestamp            int64
		Key, Value           content
		Headers              [][2]content
		Transaction, Control string
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		return err
	}
	*r = StoredRecord{
		Offset: raw.Offset, Timestamp: time.UnixMilli(raw.Timestamp), Key: raw.Key.bytes, Value: raw.Value.bytes,
		Transaction: raw.Transaction, Control: raw.Control, Cut: raw.Key.isCut || raw.Value.isCut,
	}
	for _, header := range raw.Headers {
		r.Headers = append(r.Headers, Header{string(header[0].bytes), header[1].bytes})
		r.Cut = r.Cut || header[0].isCut || header[1].isCut
	}
	return nil
}

// content is a text, null, {"base64": …}, or {"bytes": …, "begin": …} of one of the first three.
type content struct {
	bytes []byte
	isCut bool
}

func (c *content) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	if text[0] == '"' {
		var plain string
		err := json.Unmarshal(text, &plain)
		c.bytes = []byte(plain)
		return err
	}
	var shown struct {
		Base64 []byte
		Begin  *content
	}
	if err := json.Unmarshal(text, &shown); err != nil {
		return fmt.Errorf("%s is no key, value or header: %w", text, err)
	}
	c.bytes = shown.Base64
	if shown.Begin != nil {
		*c = content{shown.Begin.bytes, true}
	}
	return nil
}

// Records are the last records of a partition in the order of their offsets, 1000 at most.
func (b *Broker) Records(topic string, partition int) []StoredRecord {
	b.t.Helper()
	return b.records(topic, partition, math.MaxInt64)
}

// RecordsBefore are those with lower offsets.
func (b *Broker) RecordsBefore(topic string, partition int, offset int64) []StoredRecord {
	b.t.Helper()
	return b.records(topic, partition, offset)
}

func (b *Broker) records(topic string, partition int, before int64) []StoredRecord {
	b.t.Helper()
	var records []StoredRecord
	// A page has fewer where they are large, or where a compacted log has few among its offsets.
	for next := &before; next != nil && len(records) < mostRecords; {
		words := url.Values{
			"topic": {topic}, "partition": {strconv.Itoa(partition)}, "before": {strconv.FormatInt(*next, 10)},
			"limit": {strconv.Itoa(mostRecords - len(records))},
		}
		var page struct {
			Records []StoredRecord
			Next    *int64
		}
		b.must(b.control.ask(http.MethodGet, "/v1/records", words, nil, &page))
		records, next = append(records, page.Records...), page.Next
	}
	// The broker shows the newest first.
	slices.Reverse(records)
	return records
}
