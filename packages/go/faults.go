package klammtest

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const faultsPath = "/v1/faults"

// Match says which requests a rule is for. All that are given must be so.
type Match struct {
	API             string         `json:"api,omitempty"`              // as in Produce
	Versions        string         `json:"versions,omitempty"`         // a version, or a range as in 3-9
	Broker          int            `json:"broker,omitempty"`           // the broker that is asked, by its id
	ClientID        string         `json:"client_id,omitempty"`        // an expression that the whole id matches
	Principal       string         `json:"principal,omitempty"`        // as ACLs write it, User:alice
	Topic           string         `json:"topic,omitempty"`            // one that the request names
	Partition       *int           `json:"partition,omitempty"`        // one that the request names; see Partition
	Group           string         `json:"group,omitempty"`            // one that the request names
	TransactionalID string         `json:"transactional_id,omitempty"` // one that the request names
	Fields          map[string]any `json:"fields,omitempty"`           // what fields of the body hold, as in memberEpoch
	Nth             int            `json:"nth,omitempty"`              // the nth request that matches, alone
	Every           int            `json:"every,omitempty"`            // every nth request that matches
	Probability     float64        `json:"probability,omitempty"`      // from 0 to 1, drawn from the seed
	Seed            int64          `json:"seed,omitempty"`
}

// Partition is a number for Match.
func Partition(number int) *int { return &number }

// Action says what happens to the requests that a rule is for.
type Action struct{ words map[string]any }

func action(name string, value any) Action { return Action{map[string]any{name: value}} }

// Error refuses the request with an error as in NOT_LEADER_OR_FOLLOWER.
func Error(name string) Action { return action("error", name) }

// Delay handles the request later; with After its answer leaves later.
func Delay(duration time.Duration) Action { return action("delay_ms", duration.Milliseconds()) }

// Hold keeps the request until the rule is released or removed; with After its answer.
func Hold() Action { return action("hold", true) }

// CloseConnection closes its connection; with After behind its effect: an acknowledgement that is lost.
func CloseConnection() Action { return action("close", true) }

// NoAnswer never answers, and leaves the connection open.
func NoAnswer() Action { return action("no_answer", true) }

// Throttle tells the client to wait.
func Throttle(duration time.Duration) Action { return action("throttle_ms", duration.Milliseconds()) }

// Truncate lets so many bytes of the answer leave, and closes the connection.
func Truncate(bytes int) Action { return action("truncate", bytes) }

// Corrupt gives the batches of a Fetch answer a wrong checksum.
func Corrupt() Action { return action("corrupt", true) }

// Stale answers by what the cluster looked like when the rule was added: Metadata, FindCoordinator, DescribeCluster and
// DescribeTopicPartitions.
func Stale() Action { return action("stale", true) }

// Offer lets an ApiVersions answer offer these versions, from and to, instead of the broker's own; nil is none.
func Offer(versions map[string][]int) Action { return action("offer", versions) }

// ExpireMember lets the member that the request names leave its group first, as if its session had ended.
func ExpireMember() Action { return action("expire_member", true) }

// After is the same, when the request has had its effect.
func (a Action) After() Action { return a.with("after", true) }

// Late is the same when a time is over: of Error, CloseConnection, Throttle, Truncate, Corrupt, Offer and Stale.
func (a Action) Late(by time.Duration) Action { return a.with("delay_ms", by.Milliseconds()) }

func (a Action) with(name string, value any) Action {
	words := map[string]any{name: value}
	for name, value := range a.words {
		words[name] = value
	}
	return Action{words}
}

// FaultOption limits a rule.
type FaultOption func(rule map[string]any)

// Count lets the rule strike so many requests at most.
func Count(requests int) FaultOption { return func(rule map[string]any) { rule["count"] = requests } }

// Expires lets the rule live so long.
func Expires(duration time.Duration) FaultOption {
	return func(rule map[string]any) { rule["expires_ms"] = duration.Milliseconds() }
}

// Fault is a rule by which the broker breaks.
type Fault struct {
	broker *Broker
	id     int
}

// Fault adds a rule behind those that are there: the first one that is for a request strikes it.
func (b *Broker) Fault(match Match, action Action, options ...FaultOption) *Fault {
	b.t.Helper()
	rule := map[string]any{"match": match, "action": action.words}
	for _, option := range options {
		option(rule)
	}
	var found struct{ IDs []int }
	b.must(b.control.ask(http.MethodPost, faultsPath, nil, rule, &found))
	return &Fault{b, found.IDs[0]}
}

// RemoveFaults takes away all rules, and tells how many there were.
func (b *Broker) RemoveFaults() int {
	b.t.Helper()
	var found struct{ Removed int }
	b.must(b.control.ask(http.MethodDelete, faultsPath, nil, nil, &found))
	return found.Removed
}

// Matched is how many requests the rule was for. A rule that matches nothing is a mistake in the rule, mostly.
func (f *Fault) Matched() int {
	f.broker.t.Helper()
	return f.look().Matched
}

// Struck is how many requests the rule has struck: those of the matched that Nth, Every, Probability and Count leave.
func (f *Fault) Struck() int {
	f.broker.t.Helper()
	return f.look().Struck
}

// Over is whether the rule strikes no more: its count is reached, or its time is over.
func (f *Fault) Over() bool {
	f.broker.t.Helper()
	return f.look().Over
}

// Release lets go on what the rule holds; what comes behind is held again.
func (f *Fault) Release() {
	f.broker.t.Helper()
	f.broker.must(f.broker.control.ask(http.MethodPost, faultsPath+"/release", f.words(), nil, nil))
}

// Remove takes the rule away; what it holds goes on. Once more does nothing.
func (f *Fault) Remove() {
	f.broker.t.Helper()
	answer, err := f.broker.control.call(http.MethodDelete, faultsPath, f.words(), nil, 0)
	if err == nil && answer.status != http.StatusNotFound {
		err = answer.agreed(nil)
	}
	f.broker.must(err)
}

func (f *Fault) words() url.Values { return url.Values{"id": {strconv.Itoa(f.id)}} }

// Rule is a rule as it was when it was looked at.
type Rule struct {
	ID      int
	Matched int  // how many requests it was for
	Struck  int  // how many requests it has struck
	Over    bool // it strikes no more
}

// Faults are the rules in their order, with what they have done.
func (b *Broker) Faults() []Rule {
	b.t.Helper()
	var found struct{ Faults []Rule }
	b.must(b.control.ask(http.MethodGet, faultsPath, nil, nil, &found))
	return found.Faults
}

// ID is the rule's number.
func (f *Fault) ID() int { return f.id }

func (f *Fault) look() Rule {
	f.broker.t.Helper()
	for _, rule := range f.broker.Faults() {
		if rule.ID == f.id {
			return rule
		}
	}
	f.broker.must(fmt.Errorf("the fault %d was removed", f.id))
	return Rule{}
}
