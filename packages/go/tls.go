package klammtest

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"os"
)

// TLSConfig trusts the broker's authority and shows the client's certificate; it is nil where the broker has no TLS.
func (b *Broker) TLSConfig() *tls.Config {
	b.t.Helper()
	if b.ready.TLS == nil {
		return nil
	}
	authority, err := os.ReadFile(b.ready.TLS.CAPEM)
	b.must(err)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		b.must(fmt.Errorf("%s has no certificate", b.ready.TLS.CAPEM))
	}
	client, err := tls.LoadX509KeyPair(b.ready.TLS.ClientPEM, b.ready.TLS.ClientKey)
	b.must(err)
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{client}, MinVersion: tls.VersionTLS12}
}

// unguessed is a name that no other process can have taken before.
func unguessed() string {
	bytes := make([]byte, 16)
	// It never fails since Go 1.24, and never did on Linux.
	_, _ = rand.Read(bytes)
	return hex.EncodeToString(bytes)
}
