package klammtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// usualLimit is how many requests Requests lists at most.
const usualLimit = 100

// usualWait is how long the broker lets a wait take at most that names no limit.
const usualWait = 10 * time.Second

// Filter says which requests are meant. All that are given must be so.
type Filter struct {
	API       string // as in Produce
	ClientID  string
	Topic     string // one that the request names
	Group     string // one that the request names
	Principal string // as ACLs write it, User:alice
	Error     string // one that the answer tells of
	Since     time.Time
	Broker    int    // the one that was asked, by its id
	ID        string // of one request
}

func (f Filter) words() map[string]any {
	words := map[string]any{}
	for name, value := range map[string]string{
		"api": f.API, "client_id": f.ClientID, "topic": f.Topic, "group": f.Group, "principal": f.Principal, "error": f.Error, "id": f.ID,
	} {
		if value != "" {
			words[name] = value
		}
	}
	if f.Broker != 0 {
		words["broker"] = f.Broker
	}
	if !f.Since.IsZero() {
		words["since"] = f.Since.UnixMilli()
	}
	return words
}

// Request is a request that the broker was sent, with its answer.
type Request struct {
	ID         string
	At         time.Time
	API        string
	Version    int
	ClientID   string
	Software   string // name and version of the client's library, where it tells them
	Principal  string
	Connection int
	Errors     map[string]int  // how often each error code stands in the answer; without NONE
	Request    json.RawMessage // the body
	Answer     json.RawMessage // the body
}

// UnmarshalJSON takes a request as the broker writes it.
func (r *Request) UnmarshalJSON(text []byte) error {
	var raw struct {
		ID         string
		At         int64
		API        string
		Version    int
		ClientID   string `json:"client_id"`
		Software   struct{ Name, Version string }
		Principal  string
		Connection int
		Errors     map[string]int
		Request    json.RawMessage
		Answer     json.RawMessage
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		return err
	}
	software := strings.TrimSpace(raw.Software.Name + " " + raw.Software.Version)
	*r = Request{
		raw.ID, time.UnixMilli(raw.At), raw.API, raw.Version, raw.ClientID, software, raw.Principal, raw.Connection, raw.Errors,
		raw.Request, raw.Answer,
	}
	return nil
}

func (r Request) String() string {
	client := r.ClientID
	if client == "" {
		client = "-"
	}
	text := fmt.Sprintf("%s %s v%d %s", r.At.UTC().Format("15:04:05.000"), r.API, r.Version, client)
	if len(r.Errors) > 0 {
		text += " " + strings.Join(slices.Sorted(maps.Keys(r.Errors)), ", ")
	}
	return text
}

// Requests lists the last requests that match, 100 at most, in their order and with the records of their batches.
func (b *Broker) Requests(filter Filter) []Request {
	b.t.Helper()
	found, err := b.requests(filter, usualLimit)
	b.must(err)
	return found
}

func (b *Broker) requests(filter Filter, limit int) ([]Request, error) {
	words := url.Values{"records": {"true"}, "limit": {strconv.Itoa(limit)}}
	for name, value := range filter.words() {
		words.Set(name, fmt.Sprint(value))
	}
	var found struct{ Requests []Request }
	err := b.control.ask(http.MethodGet, "/v1/requests", words, nil, &found)
	return found.Requests, err
}

// Expected is how many requests a test expects.
type Expected struct {
	AtMost  *int `json:"at_most,omitempty"`
	AtLeast *int `json:"at_least,omitempty"`
}

// AtMost is so many requests or fewer.
func AtMost(number int) Expected { return Expected{AtMost: &number} }

// AtLeast is so many requests or more.
func AtLeast(number int) Expected { return Expected{AtLeast: &number} }

// Exactly is neither more nor fewer.
func Exactly(number int) Expected { return Expected{&number, &number} }

// AssertRequests fails the test with the broker's sentence, and some of the requests, where more or fewer match; the test goes
// on, and false is returned.
func (b *Broker) AssertRequests(filter Filter, expected Expected) bool {
	b.t.Helper()
	body := struct {
		Match map[string]any `json:"match"`
		Expected
	}{filter.words(), expected}
	answer, err := b.control.call(http.MethodPost, "/v1/requests/assert", nil, body, 0)
	b.must(err)
	if answer.status != http.StatusConflict {
		b.must(answer.agreed(nil))
		return true
	}
	var found struct{ Requests []Request }
	b.must(json.Unmarshal(answer.body, &found))
	text := answer.sentence()
	for _, request := range found.Requests {
		text += "\n  " + request.String()
	}
	b.t.Errorf("klamm: %s", text)
	return false
}

// Condition is something that a test waits for.
type Condition func(url.Values) error

// GroupMembers waits until the group has so many members and is stable, or has none and is empty.
func GroupMembers(group string, number int) Condition {
	return about("group", group, "members", int64(number))
}

// GroupLag waits until the group has committed offsets and is so many records behind at most.
func GroupLag(group string, records int) Condition {
	return about("group", group, "lag", int64(records))
}

// TopicRecords waits until the topic has so many records at least.
func TopicRecords(topic string, number int) Condition {
	return about("topic", topic, "records", int64(number))
}

// TopicFetched waits until a client has asked for a partition of the topic from the offset on: the one with the id, where one is
// named, else any.
func TopicFetched(topic string, partition, offset int, clientID ...string) Condition {
	return func(words url.Values) error {
		err := errors.Join(about("topic", topic, "fetched", int64(offset))(words), put(words, "partition", strconv.Itoa(partition)))
		for _, id := range clientID {
			err = errors.Join(err, put(words, "client_id", id))
		}
		return err
	}
}

// TransactionEnd waits until the last transaction of the id has ended; it does not hold before one began.
func TransactionEnd(transactionalID string) Condition {
	return func(words url.Values) error { return put(words, "transactional_id", transactionalID) }
}

// Within limits the wait, instead of to 10 seconds.
func Within(limit time.Duration) Condition {
	return func(words url.Values) error {
		return put(words, "timeout_ms", strconv.FormatInt(limit.Milliseconds(), 10))
	}
}

func about(subject, name, what string, number int64) Condition {
	return func(words url.Values) error {
		return errors.Join(put(words, subject, name), put(words, what, strconv.FormatInt(number, 10)))
	}
}

// put refuses a second group, topic or number: the broker waits for one of each.
func put(words url.Values, name, value string) error {
	if old := words.Get(name); old != "" && old != value {
		return fmt.Errorf("one wait is for one %s, not for %s and %s", name, old, value)
	}
	words.Set(name, value)
	return nil
}

// WaitFor returns when all conditions hold; it ends the test with what was missing when the time is over. Conditions about one
// group, one topic and one transactional id can be combined.
func (b *Broker) WaitFor(conditions ...Condition) {
	b.t.Helper()
	words := url.Values{}
	for _, condition := range conditions {
		b.must(condition(words))
	}
	limit := usualWait
	if words.Has("timeout_ms") {
		milliseconds, err := strconv.Atoi(words.Get("timeout_ms"))
		b.must(err)
		limit = time.Duration(milliseconds) * time.Millisecond
	}
	answer, err := b.control.call(http.MethodGet, "/v1/wait", words, nil, limit)
	b.must(err)
	b.must(answer.agreed(nil))
}
