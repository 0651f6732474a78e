package klammtest

import (
	"net/http"
	"net/url"
)

const snapshotsPath = "/v1/snapshots"

// Reset puts the broker back to its beginning: the topics and users of its options, and nothing else. Records, groups, faults and
// kept requests are gone, the clock is the machine's. Make clients and faults anew.
func (b *Broker) Reset() {
	b.t.Helper()
	b.reset(map[string]any{})
}

// ResetTo puts the broker back to a snapshot, as Reset does to the beginning.
func (b *Broker) ResetTo(snapshot string) {
	b.t.Helper()
	b.reset(map[string]any{"snapshot": snapshot})
}

func (b *Broker) reset(body map[string]any) {
	b.t.Helper()
	b.must(b.control.ask(http.MethodPost, "/v1/reset", nil, body, nil))
}

// Snapshot keeps all that is there now, for ResetTo; one of that name is replaced. Clients lose their connections.
func (b *Broker) Snapshot(name string) {
	b.t.Helper()
	b.must(b.control.ask(http.MethodPost, snapshotsPath, nil, map[string]any{"name": name}, nil))
}

// SnapshotState is a snapshot, and what it takes in memory.
type SnapshotState struct {
	Name  string
	Bytes int64
}

// Snapshots are the snapshots that there are.
func (b *Broker) Snapshots() []SnapshotState {
	b.t.Helper()
	var found struct{ Snapshots []SnapshotState }
	b.must(b.control.ask(http.MethodGet, snapshotsPath, nil, nil, &found))
	return found.Snapshots
}

// ForgetSnapshot forgets a snapshot; its memory is free again.
func (b *Broker) ForgetSnapshot(name string) {
	b.t.Helper()
	b.must(b.control.ask(http.MethodDelete, snapshotsPath, url.Values{"name": {name}}, nil, nil))
}
