package klammtest

import (
	"net/http"
	"time"
)

const clockPath = "/v1/clock"

// Clock is the clock that the broker goes by: sessions, rebalances, transactions, retention follow it.
type Clock struct{ broker *Broker }

// Clock is the broker's clock.
func (b *Broker) Clock() Clock { return Clock{b} }

type shown struct {
	Wall   int64 `json:"wall_ms"`
	Frozen bool  `json:"frozen"`
}

// Now is what it shows.
func (c Clock) Now() time.Time {
	c.broker.t.Helper()
	return time.UnixMilli(c.ask(http.MethodGet, nil).Wall)
}

// Frozen is whether it stands still.
func (c Clock) Frozen() bool {
	c.broker.t.Helper()
	return c.ask(http.MethodGet, nil).Frozen
}

// Freeze lets it stand still until Resume; Advance and Set move it all the same.
func (c Clock) Freeze() time.Time {
	c.broker.t.Helper()
	return c.post("frozen", true)
}

// Resume lets it go on.
func (c Clock) Resume() time.Time {
	c.broker.t.Helper()
	return c.post("frozen", false)
}

// Advance moves it ahead. All that became due has been done when this returns.
func (c Clock) Advance(duration time.Duration) time.Time {
	c.broker.t.Helper()
	return c.post("advance_ms", duration.Milliseconds())
}

// Set sets it: ahead is a move as by Advance; back is the wall clock alone.
func (c Clock) Set(moment time.Time) time.Time {
	c.broker.t.Helper()
	return c.post("wall_ms", moment.UnixMilli())
}

func (c Clock) post(name string, value any) time.Time {
	c.broker.t.Helper()
	return time.UnixMilli(c.ask(http.MethodPost, map[string]any{name: value}).Wall)
}

func (c Clock) ask(method string, body any) shown {
	c.broker.t.Helper()
	var found shown
	c.broker.must(c.broker.control.ask(method, clockPath, nil, body, &found))
	return found
}
