package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// An Identity is who an agent is to its plant: its key, which never leaves the host, its
// certificate, and the authority by which it knows the server. Its methods may be called from any
// goroutine.
type Identity struct {
	// Server is the address of the plant, Agent the name of this agent.
	Server string
	Agent  andon.AgentName

	now  func() time.Time
	dir  string
	key  *ecdsa.PrivateKey
	root *x509.Certificate

	mu   sync.Mutex
	cert *x509.Certificate
}

// who is the file that makes an identity complete: it is written last.
type who struct {
	Server string          `json:"server"`
	Agent  andon.AgentName `json:"agent"`
}

func keyFile(dir string) string  { return filepath.Join(dir, "agent.key") }
func certFile(dir string) string { return filepath.Join(dir, "agent.pem") }
func rootFile(dir string) string { return filepath.Join(dir, "ca.pem") }
func whoFile(dir string) string  { return filepath.Join(dir, "joined.json") }

// LoadIdentity reads the identity in a directory; nil: no agent joined with it.
func LoadIdentity(dir string) (*Identity, error) {
	data, err := os.ReadFile(whoFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	id := &Identity{dir: dir, now: time.Now}
	var w who
	if err == nil {
		err = json.Unmarshal(data, &w)
	}
	if err == nil {
		id.Server, id.Agent = w.Server, w.Agent
		err = id.read()
	}
	if err != nil {
		return nil, andon.Errorf(andon.KindInvalid, "the identity in %s cannot be used", dir).
			WithHint("remove the directory, and join again with the token of a new `andon host add`").Because(err)
	}
	return id, nil
}

func (id *Identity) read() error {
	data, err := os.ReadFile(keyFile(id.dir))
	if err != nil {
		return err
	}
	if id.key, err = parseKey(data); err != nil {
		return err
	}
	for file, into := range map[string]**x509.Certificate{certFile(id.dir): &id.cert, rootFile(id.dir): &id.root} {
		if data, err = os.ReadFile(file); err != nil {
			return err
		}
		if *into, err = parseCertificate(data); err != nil {
			return err
		}
	}
	return nil
}

// Request returns a request for a certificate, made with the key of a directory: the one that an
// interrupted join left there, so that it can be repeated with the same token.
func Request(dir string) ([]byte, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var key *ecdsa.PrivateKey
	data, err := os.ReadFile(keyFile(dir))
	if err == nil {
		key, err = parseKey(data)
	}
	if errors.Is(err, fs.ErrNotExist) {
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return nil, err
		}
		if data, err = encodeKey(key); err == nil {
			err = writeFile(keyFile(dir), data)
		}
	}
	if err != nil {
		return nil, err
	}
	return request(key)
}

func request(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}

// Joined makes what the server answered to a join the identity in a directory. The authority must
// be the one of the token.
func Joined(dir, server string, token Token, cert, root []byte) (*Identity, error) {
	ca, err := parseCertificate(root)
	if err != nil || fingerprint(ca.Raw) != token.Authority {
		return nil, andon.Errorf(andon.KindRefused, "the server answers with another authority than that of the token")
	}
	for file, data := range map[string][]byte{rootFile(dir): root, certFile(dir): cert} {
		if err := writeFile(file, data); err != nil {
			return nil, err
		}
	}
	data, err := json.Marshal(who{Server: server, Agent: token.Agent})
	if err != nil {
		return nil, err
	}
	if err := writeFile(whoFile(dir), append(data, '\n')); err != nil {
		return nil, err
	}
	return LoadIdentity(dir)
}

// ClientConfig returns how the agent speaks TLS to its plant: as itself, and to no server that
// the plant's authority did not sign as one. The server's host name does not matter, since that
// authority signs one server alone.
func (id *Identity) ClientConfig() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(id.root)
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection verifies, all but the name
		VerifyConnection:   func(s tls.ConnectionState) error { return verifyServer(s, pool, id.now()) },
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			id.mu.Lock()
			defer id.mu.Unlock()
			return &tls.Certificate{Certificate: [][]byte{id.cert.Raw}, PrivateKey: id.key, Leaf: id.cert}, nil
		},
	}
}

// PinConfig returns how a host that has only a token speaks TLS: to no server but one of the
// authority that the token names.
func PinConfig(token Token) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection verifies, all but the name
		VerifyConnection: func(s tls.ConnectionState) error {
			for _, cert := range s.PeerCertificates {
				if cert.IsCA && fingerprint(cert.Raw) == token.Authority {
					pool := x509.NewCertPool()
					pool.AddCert(cert)
					return verifyServer(s, pool, time.Now())
				}
			}
			return errOtherPlant()
		},
	}
}

func errOtherPlant() error {
	return andon.Errorf(andon.KindRefused, "the server that answers is not the plant that the token is for").
		WithHint("see that --server is the address of the plant that made the token, and that nothing in between ends its TLS")
}

func verifyServer(s tls.ConnectionState, pool *x509.CertPool, now time.Time) error {
	if len(s.PeerCertificates) == 0 {
		return errOtherPlant()
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: pool, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	if err != nil {
		return errors.Join(errOtherPlant(), err)
	}
	return nil
}

// Until returns when the certificate ends, and when it is time to have it renewed.
func (id *Identity) Until() (ends, renew time.Time) {
	id.mu.Lock()
	defer id.mu.Unlock()
	life := id.cert.NotAfter.Sub(id.cert.NotBefore)
	return id.cert.NotAfter, id.cert.NotBefore.Add(life * 2 / 3)
}

// Renewal returns the request for the next certificate, of the same key.
func (id *Identity) Renewal() ([]byte, error) { return request(id.key) }

// Renewed takes the next certificate over.
func (id *Identity) Renewed(cert []byte) error {
	next, err := parseCertificate(cert)
	if err != nil {
		return fmt.Errorf("the server's answer to a renewal: %w", err)
	}
	if !id.key.PublicKey.Equal(next.PublicKey) {
		return errors.New("the server's answer to a renewal is a certificate of another key")
	}
	if err := writeFile(certFile(id.dir), cert); err != nil {
		return err
	}
	id.mu.Lock()
	defer id.mu.Unlock()
	id.cert = next
	return nil
}
