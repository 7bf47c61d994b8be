package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"sync"
	"time"
)

// ServerConfig returns how a server with the given host names and IP addresses speaks TLS: with a
// certificate of the authority, which is made anew before it ends, and with agents that prove who
// they are by one of any root that is valid. Others may come without a certificate.
func (a *Authority) ServerConfig(names []string) *tls.Config {
	s := &serverCertificate{authority: a, names: names}
	config := &tls.Config{
		MinVersion:     tls.VersionTLS13,
		GetCertificate: s.get,
		ClientAuth:     tls.VerifyClientCertIfGiven,
		Time:           a.now,
		NextProtos:     []string{"h2", "http/1.1"},
		// Each connection proves who it is by today's roots, never by yesterday's handshake.
		SessionTicketsDisabled: true,
	}
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		present := config.Clone()
		present.GetConfigForClient, present.ClientCAs = nil, a.pool()
		return present, nil
	}
	return config
}

// A serverCertificate is the certificate that the server shows now. Its key is never on disk.
type serverCertificate struct {
	authority *Authority
	names     []string

	mu    sync.Mutex
	shown *tls.Certificate
	by    int       // the root that signed it
	until time.Time // when the next one is made
}

func (s *serverCertificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, by := s.authority.now(), s.authority.signer()
	if s.shown != nil && now.Before(s.until) && s.by == by.number {
		return s.shown, nil
	}
	next, err := by.signServer(s.names, now)
	if err != nil {
		return nil, err
	}
	s.shown, s.by, s.until = next, by.number, now.Add(serverLife*2/3)
	return next, nil
}

func (r root) signServer(names []string, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "andon server"},
		NotBefore: now.Add(-early), NotAfter: now.Add(serverLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else if name != "" {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, r.cert, key.Public(), r.key)
	if err != nil {
		return nil, err
	}
	// The root goes along, so that who knows only its fingerprint can pin it.
	return &tls.Certificate{Certificate: [][]byte{der, r.cert.Raw}, PrivateKey: key}, nil
}
