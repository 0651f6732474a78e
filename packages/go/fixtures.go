package klammtest

import (
	"net/http"
	"net/url"
	"os"
)

const fixturesPath = "/v1/fixtures"

// Loaded is what LoadFixtures has done: how many topics were made, and how many records were written.
type Loaded struct{ Topics, Records int }

// LoadFixtures makes topics and writes records, of which each is a line of JSON: with a key or a value it is a record, else a
// topic. A line that is wrong ends the test with its number, and nothing is written.
//
//	{"topic":"orders","partitions":3,"configs":{"cleanup.policy":"compact"}}
//	{"topic":"orders","key":"k1","value":{"json":{"amount":5}},"headers":[["trace","a"]],"timestamp":1767225600000}
func (b *Broker) LoadFixtures(lines string) Loaded {
	b.t.Helper()
	var found Loaded
	b.must(b.control.ask(http.MethodPost, fixturesPath, nil, []byte(lines), &found))
	return found
}

// LoadFixturesFile does the same with the lines of a file.
func (b *Broker) LoadFixturesFile(path string) Loaded {
	b.t.Helper()
	lines, err := os.ReadFile(path)
	b.must(err)
	return b.LoadFixtures(string(lines))
}

// DumpFixtures is a topic with its committed records, as lines for LoadFixtures; without a name all topics but internal ones.
func (b *Broker) DumpFixtures(topic string) string {
	b.t.Helper()
	return b.text(fixturesPath, named("topic", topic))
}

// Metrics is what the broker counts, in Prometheus's text format.
func (b *Broker) Metrics() string {
	b.t.Helper()
	return b.text("/metrics", nil)
}

func (b *Broker) text(path string, words url.Values) string {
	b.t.Helper()
	answer, err := b.control.call(http.MethodGet, path, words, nil, 0)
	b.must(err)
	b.must(answer.agreed(nil))
	return string(answer.body)
}

// named is a word with its value, or nothing where that is empty.
func named(name, value string) url.Values {
	if value == "" {
		return nil
	}
	return url.Values{name: {value}}
}
