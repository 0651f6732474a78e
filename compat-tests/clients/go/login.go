// Logins: `login franz-go|sarama` reads ways to come in as JSON lines (src/login.rs says what is in them), writes two records by
// each and reads them back, and prints a line for each: what it read, or its error.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
	xdg "github.com/xdg-go/scram"
)

type way struct {
	Bootstrap   string `json:"bootstrap"`
	Topic       string `json:"topic"`
	TLS         bool   `json:"tls"`
	Mechanism   string `json:"mechanism"`
	User        string `json:"user"`
	Password    string `json:"password"`
	Token       string `json:"token"`
	CA          string `json:"ca"`
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
}

var values = []string{"one", "two"}

const within = 15 * time.Second

func (w way) tlsConfig() (*tls.Config, error) {
	pem, err := os.ReadFile(w.CA)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost"}
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New("no authority in " + w.CA)
	}
	if w.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(w.Certificate, w.Key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func (w way) franzMechanism() sasl.Mechanism {
	switch w.Mechanism {
	case "PLAIN":
		return plain.Auth{User: w.User, Pass: w.Password}.AsMechanism()
	case "SCRAM-SHA-256":
		return scram.Auth{User: w.User, Pass: w.Password}.AsSha256Mechanism()
	case "SCRAM-SHA-512":
		return scram.Auth{User: w.User, Pass: w.Password}.AsSha512Mechanism()
	}
	return oauth.Auth{Token: w.Token}.AsMechanism()
}

func (w way) franz() ([]string, error) {
	options := []kgo.Opt{kgo.SeedBrokers(w.Bootstrap), kgo.DefaultProduceTopic(w.Topic), kgo.RecordDeliveryTimeout(within),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RequestRetries(2),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{w.Topic: {0: kgo.NewOffset().AtStart()}})}
	if w.TLS {
		config, err := w.tlsConfig()
		if err != nil {
			return nil, err
		}
		options = append(options, kgo.DialTLSConfig(config))
	}
	if w.Mechanism != "" {
		options = append(options, kgo.SASL(w.franzMechanism()))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	if err := client.Ping(ctx); err != nil {
		return nil, err
	}
	for _, value := range values {
		if err := client.ProduceSync(ctx, &kgo.Record{Value: []byte(value)}).FirstErr(); err != nil {
			return nil, err
		}
	}
	var read []string
	for len(read) < len(values) {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		fetches.EachRecord(func(r *kgo.Record) { read = append(read, string(r.Value)) })
	}
	return read, nil
}

// The tokens and the conversation of SCRAM are left to the user by Sarama.
type tokens string

func (t tokens) Token() (*sarama.AccessToken, error) {
	return &sarama.AccessToken{Token: string(t)}, nil
}

type conversation struct {
	hash xdg.HashGeneratorFcn
	*xdg.ClientConversation
}

func (c *conversation) Begin(user, password, authzID string) error {
	client, err := c.hash.NewClient(user, password, authzID)
	if err == nil {
		c.ClientConversation = client.NewConversation()
	}
	return err
}

func (w way) saramaConfig() (*sarama.Config, error) {
	config := sarama.NewConfig()
	config.Version = sarama.V4_0_0_0
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Metadata.Retry.Max = 1
	config.Net.DialTimeout, config.Net.ReadTimeout, config.Net.WriteTimeout = within, within, within
	if w.TLS {
		tlsConfig, err := w.tlsConfig()
		if err != nil {
			return nil, err
		}
		config.Net.TLS.Enable, config.Net.TLS.Config = true, tlsConfig
	}
	if w.Mechanism == "" {
		return config, nil
	}
	sasl := &config.Net.SASL
	sasl.Enable, sasl.Mechanism, sasl.User, sasl.Password = true, sarama.SASLMechanism(w.Mechanism), w.User, w.Password
	sasl.TokenProvider = tokens(w.Token)
	sasl.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient {
		if w.Mechanism == "SCRAM-SHA-256" {
			return &conversation{hash: xdg.SHA256}
		}
		return &conversation{hash: xdg.SHA512}
	}
	return config, nil
}

func (w way) sarama() ([]string, error) {
	config, err := w.saramaConfig()
	if err != nil {
		return nil, err
	}
	client, err := sarama.NewClient([]string{w.Bootstrap}, config)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	producer, err := sarama.NewSyncProducerFromClient(client)
	if err != nil {
		return nil, err
	}
	for _, value := range values {
		message := &sarama.ProducerMessage{Topic: w.Topic, Value: sarama.StringEncoder(value)}
		if _, _, err := producer.SendMessage(message); err != nil {
			return nil, err
		}
	}
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return nil, err
	}
	partition, err := consumer.ConsumePartition(w.Topic, 0, sarama.OffsetOldest)
	if err != nil {
		return nil, err
	}
	defer partition.Close()
	var read []string
	for len(read) < len(values) {
		select {
		case message := <-partition.Messages():
			read = append(read, string(message.Value))
		case <-time.After(within):
			return nil, fmt.Errorf("only %d records came", len(read))
		}
	}
	return read, nil
}

func runLogins(library string) {
	ways := json.NewDecoder(bufio.NewReader(os.Stdin))
	for ways.More() {
		var w way
		check(ways.Decode(&w))
		call := w.franz
		if library == "sarama" {
			call = w.sarama
		}
		read, err := call()
		answer := map[string]any{"read": read}
		if err != nil {
			answer = map[string]any{"error": err.Error()}
		}
		check(json.NewEncoder(os.Stdout).Encode(answer))
	}
}
