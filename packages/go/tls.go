package klammtest

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// TLSConfig trusts the broker's authority and shows the client's certificate; it is nil where the broker has no TLS.
func (b *Broker) TLSConfig() *tls.Config {
	b.helper()
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
