// Package klammtest starts a Kafka broker for each test: the whole broker Klamm, ready in some milliseconds, which a test can
// break on purpose, whose clock moves, and which tells what a client has really sent.
//
//	func TestOrders(t *testing.T) {
//		broker := klammtest.Start(t, klammtest.Topic("orders", 3))
//		client, err := kgo.NewClient(kgo.SeedBrokers(broker.Brokers()...))
//		...
//	}
//
// A broker that Start has made ends with its test, and a method that fails ends the test, as t.Fatal does; so such methods are
// for the goroutine of the test. Where several tests share a broker, TestMain makes it by Run, and each test takes it by
// Broker.With.
package klammtest

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// stopTime is how long a stop may take before the process is killed; it takes some milliseconds.
const stopTime = 10 * time.Second

// lastLines is how much of the log an error shows.
const lastLines = 15

// lastRequests is how many requests are logged for a test that has failed.
const lastRequests = 20

// Broker is a Kafka broker, or several, of its own port, data and clock, in memory.
type Broker struct {
	process *process
	control control
	ready   ready
	t       testing.TB // its Helper is called by each method itself: else a failure names a line of this package
}

// noTest is where a broker of Run fails that no test has taken yet.
type noTest struct{ testing.TB }

func (noTest) Helper() {}

func (noTest) Errorf(format string, arguments ...any) { panic(fmt.Sprintf(format, arguments...)) }

func (noTest) Fatalf(format string, arguments ...any) { panic(fmt.Sprintf(format, arguments...)) }

// ready is the line by which a broker says that it can be used.
type ready struct {
	BootstrapServers string        `json:"bootstrap_servers"`
	ClusterID        string        `json:"cluster_id"`
	HTTP             string        `json:"http"`
	PID              int           `json:"pid"`
	SecurityProtocol string        `json:"security_protocol"`
	SASLMechanisms   []string      `json:"sasl_mechanisms"`
	TLS              *Certificates `json:"tls"`
}

// Certificates are paths of throw-away certificates, and the password of the PKCS12 and JKS stores.
type Certificates struct {
	CAPEM         string `json:"ca_pem"`
	ClientPEM     string `json:"client_pem"`
	ClientKey     string `json:"client_key"`
	ClientP12     string `json:"client_p12"`
	ClientJKS     string `json:"client_jks"`
	TruststoreP12 string `json:"truststore_p12"`
	TruststoreJKS string `json:"truststore_jks"`
	Password      string `json:"password"`
}

// Start starts a broker that ends with the test. The log of a test that has failed shows the last requests and the end of the
// broker's log.
func Start(t testing.TB, options ...Option) *Broker {
	t.Helper()
	broker, err := Run(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(broker.seen())
		}
		broker.Close()
	})
	return broker.With(t)
}

// Run starts a broker that its caller closes; it ends with this process at the latest. Its methods panic where they fail: take
// it into tests by With.
func Run(options ...Option) (*Broker, error) {
	chosen := settings{timeout: 30 * time.Second}
	for _, option := range options {
		option(&chosen)
	}
	program, err := find(chosen.binary)
	if err != nil {
		return nil, err
	}
	process, err := start(program, chosen)
	if err != nil {
		return nil, err
	}
	ready, err := process.ready(chosen.timeout)
	if err != nil {
		return nil, err
	}
	return &Broker{process: process, control: newControl(ready.HTTP), ready: ready, t: noTest{}}, nil
}

// With is the same broker for this test: what fails, fails it.
func (b *Broker) With(t testing.TB) *Broker {
	mine := *b
	mine.t = t
	return &mine
}

// BootstrapServers is what clients take as bootstrap.servers: an address of each broker, with commas between them.
func (b *Broker) BootstrapServers() string { return b.ready.BootstrapServers }

// Brokers is the same as a list.
func (b *Broker) Brokers() []string { return strings.Split(b.ready.BootstrapServers, ",") }

// HTTP is the address of the broker's HTTP side.
func (b *Broker) HTTP() string { return b.ready.HTTP }

// ClusterID is the cluster's id.
func (b *Broker) ClusterID() string { return b.ready.ClusterID }

// PID is the process's number.
func (b *Broker) PID() int { return b.ready.PID }

// SecurityProtocol is what clients take as security.protocol.
func (b *Broker) SecurityProtocol() string { return b.ready.SecurityProtocol }

// SASLMechanisms is what clients may take as sasl.mechanism; it is empty without users.
func (b *Broker) SASLMechanisms() []string { return b.ready.SASLMechanisms }

// Certificates are there where the broker has TLS; else they are nil.
func (b *Broker) Certificates() *Certificates { return b.ready.TLS }

// Log is the end of the broker's log.
func (b *Broker) Log() string { return b.process.log() }

// Close stops the broker; what it had in memory is gone. Once more does nothing.
func (b *Broker) Close() { b.process.close() }

// seen is what a test that has failed wants to know of the broker.
func (b *Broker) seen() string {
	var text strings.Builder
	requests, err := b.requests(Filter{}, lastRequests)
	fmt.Fprintf(&text, "klamm: the last requests:")
	for _, request := range requests {
		fmt.Fprintf(&text, "\n  %s", request)
	}
	if err != nil {
		fmt.Fprintf(&text, " %v", err)
	}
	fmt.Fprintf(&text, "\nits log:\n%s", b.Log())
	return text.String()
}

// must ends the test where there is an error.
func (b *Broker) must(err error) {
	if err != nil {
		b.t.Helper()
		b.t.Fatalf("klamm: %v", err)
	}
}
