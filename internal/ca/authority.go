package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

const (
	// authorityLife is how long the authority is valid: as long as a plant lives.
	authorityLife = 20 * 365 * 24 * time.Hour
	// AgentLife is how long the certificate of an agent is valid.
	AgentLife = 30 * 24 * time.Hour
	// serverLife is how long the certificate of the server is valid.
	serverLife = 90 * 24 * time.Hour
	// early is how much before now certificates begin: clocks differ.
	early = 10 * time.Minute
	// maxRequest bounds a request for a certificate.
	maxRequest = 16 << 10
)

// An Authority signs certificates. Its methods may be called from any goroutine.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	now  func() time.Time
}

// Open returns the authority of a directory, which is made on first use: the key is readable by
// its owner alone. The clock is now.
func Open(dir string, now func() time.Time) (*Authority, error) {
	a := &Authority{now: now}
	certFile, keyFile := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca.key")
	err := a.read(certFile, keyFile)
	if errors.Is(err, fs.ErrNotExist) {
		err = a.create(dir, certFile, keyFile)
	}
	if err != nil {
		return nil, andon.Errorf(andon.KindUnavailable, "the certificate authority in %s cannot be used", dir).
			WithHint("restore the directory from a backup; or remove it, and let every host join again").Because(err)
	}
	return a, nil
}

func (a *Authority) read(certFile, keyFile string) error {
	certPEM, err := os.ReadFile(certFile)
	if err != nil {
		return err
	}
	keyPEM, err := os.ReadFile(keyFile)
	if err != nil {
		return fmt.Errorf("the certificate is there, its key is not: %s", err) //nolint:errorlint // no reason to make another authority
	}
	if a.cert, err = parseCertificate(certPEM); err != nil {
		return err
	}
	if a.key, err = parseKey(keyPEM); err != nil {
		return err
	}
	if !a.key.PublicKey.Equal(a.cert.PublicKey) {
		return errors.New("the key is not that of the certificate")
	}
	return nil
}

// create makes the authority. The certificate is written last: without it there is none.
func (a *Authority) create(dir, certFile, keyFile string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	now := a.now()
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "andon"},
		NotBefore: now.Add(-early), NotAfter: now.Add(authorityLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	a.key = key
	keyPEM, err := encodeKey(key)
	if err != nil {
		return err
	}
	if err := writeFile(keyFile, keyPEM); err != nil {
		return err
	}
	return writeFile(certFile, a.PEM())
}

// PEM returns the authority's certificate.
func (a *Authority) PEM() []byte { return encodeCertificate(a.cert.Raw) }

// Fingerprint returns what a join token says of the authority.
func (a *Authority) Fingerprint() string { return fingerprint(a.cert.Raw) }

// Pool returns the authority as the only root.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// Requested returns the key that a request for a certificate is made with, as KeyOf does. An error
// of kind andon.KindInvalid means that whoever made the request does not have that key.
func Requested(request []byte) (key string, err error) {
	csr, err := parseRequest(request)
	if err != nil {
		return "", err
	}
	return keyOf(csr.RawSubjectPublicKeyInfo), nil
}

// SignAgent returns the certificate of an agent of a plant for the key of its request. Nothing
// else that the request asks for is granted.
func (a *Authority) SignAgent(request []byte, plant string, agent andon.AgentName) ([]byte, error) {
	csr, err := parseRequest(request)
	if err != nil {
		return nil, err
	}
	now := a.now()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "andon agent " + string(agent)},
		URIs:      []*url.URL{agentURI(plant, agent)},
		NotBefore: now.Add(-early), NotAfter: now.Add(AgentLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}, a.cert, csr.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("signing the certificate of agent %s: %w", agent, err)
	}
	return encodeCertificate(der), nil
}

func parseRequest(request []byte) (*x509.CertificateRequest, error) {
	invalid := andon.Errorf(andon.KindInvalid, "this is not a request for a certificate")
	if len(request) > maxRequest {
		return nil, invalid
	}
	block, _ := pem.Decode(request)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, invalid
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, invalid.Because(err)
	}
	if _, ok := csr.PublicKey.(*ecdsa.PublicKey); !ok {
		return nil, andon.Errorf(andon.KindInvalid, "the key of an agent must be an ECDSA key")
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, invalid.Because(err)
	}
	return csr, nil
}

func agentURI(plant string, agent andon.AgentName) *url.URL {
	return &url.URL{Scheme: "andon", Host: plant, Path: "/agent/" + string(agent)}
}

// AgentOf returns the plant and the agent that a verified certificate names.
func AgentOf(cert *x509.Certificate) (plant string, agent andon.AgentName, ok bool) {
	if len(cert.URIs) != 1 || cert.URIs[0].Scheme != "andon" {
		return "", "", false
	}
	name, found := strings.CutPrefix(cert.URIs[0].Path, "/agent/")
	return cert.URIs[0].Host, andon.AgentName(name), found && andon.ValidName(name)
}

// KeyOf names the public key of a certificate: two of the same key have the same name.
func KeyOf(cert *x509.Certificate) string { return keyOf(cert.RawSubjectPublicKeyInfo) }

func keyOf(spki []byte) string {
	sum := sha256.Sum256(spki)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func serial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b)
}
