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
// they are. Others may come without a certificate.
func (a *Authority) ServerConfig(names []string) *tls.Config {
	s := &serverCertificate{authority: a, names: names}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: s.get,
		ClientAuth:     tls.VerifyClientCertIfGiven,
		ClientCAs:      a.Pool(),
		Time:           a.now,
	}
}

// A serverCertificate is the certificate that the server shows now. Its key is never on disk.
type serverCertificate struct {
	authority *Authority
	names     []string

	mu    sync.Mutex
	shown *tls.Certificate
	until time.Time // when the next one is made
}

func (s *serverCertificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.authority.now()
	if s.shown != nil && now.Before(s.until) {
		return s.shown, nil
	}
	next, err := s.authority.signServer(s.names, now)
	if err != nil {
		return nil, err
	}
	s.shown, s.until = next, now.Add(serverLife*2/3)
	return next, nil
}

func (a *Authority) signServer(names []string, now time.Time) (*tls.Certificate, error) {
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
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	// The authority's own certificate goes along, so that who knows only its fingerprint can pin it.
	return &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key}, nil
}
