package klammtest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// Option is an option of a broker.
type Option func(*settings)

type settings struct {
	arguments []string
	binary    string
	tls       bool
	timeout   time.Duration
}

func with(option, value string) Option {
	return func(s *settings) { s.arguments = append(s.arguments, option, value) }
}

// Topic is a topic that is there from the beginning.
func Topic(name string, partitions int) Option {
	return TopicWith(name, partitions, nil)
}

// TopicWith is a topic with settings such as retention.ms.
func TopicWith(name string, partitions int, config map[string]string) Option {
	text := fmt.Sprintf("%s:%d", name, partitions)
	for _, key := range slices.Sorted(maps.Keys(config)) {
		text += fmt.Sprintf(":%s=%s", key, config[key])
	}
	return with("--topic", text)
}

// User is a user; clients then log in by PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
func User(name, password string) Option { return with("--user", name+":"+password) }

// TLS lets clients come by TLS; Broker.Certificates and Broker.TLSConfig have the certificates.
func TLS() Option { return func(s *settings) { s.tls = true } }

// AsVersion offers what that release of Apache Kafka does, 2.8 to 4.4.
func AsVersion(version string) Option { return with("--as-version", version) }

// Override is any of Kafka's settings of a broker.
func Override(key, value string) Option { return with("--override", key+"="+value) }

// Memory is the most that data take in memory, as in 64M.
func Memory(bytes string) Option { return with("--memory", bytes) }

// DataDir keeps data on the disk instead; a directory that was not there is removed at the end.
func DataDir(directory string) Option { return with("--dir", directory) }

// Port is a fixed port.
func Port(number int) Option { return with("--port", strconv.Itoa(number)) }

// Brokers lets the process play so many brokers, with ids from 1, each on a port and in a rack of its own.
func Brokers(number int) Option { return with("--brokers", strconv.Itoa(number)) }

// Binary is the program klamm, where it is neither named by KLAMM_BIN nor in PATH.
func Binary(path string) Option { return func(s *settings) { s.binary = path } }

// StartTimeout is the time in which the broker must be ready, instead of 30 seconds.
func StartTimeout(limit time.Duration) Option { return func(s *settings) { s.timeout = limit } }
