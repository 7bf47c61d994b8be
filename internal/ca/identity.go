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
// certificate, and the roots by which it knows the server. Its methods may be called from any
// goroutine.
type Identity struct {
	// Server is the address of the plant, Agent the name of this agent.
	Server string
	Agent  andon.AgentName

	token string // hash of the secret that it joined with
	now   func() time.Time
	dir   string
	key   *ecdsa.PrivateKey

	mu    sync.Mutex
	cert  *x509.Certificate
	roots []*x509.Certificate
}

// who is the file that makes an identity complete: it is written last.
type who struct {
	Server string          `json:"server"`
	Agent  andon.AgentName `json:"agent"`
	Token  string          `json:"token"` // hash of the secret
}

func keyFile(dir string) string   { return filepath.Join(dir, "agent.key") }
func certFile(dir string) string  { return filepath.Join(dir, "agent.pem") }
func rootsFile(dir string) string { return filepath.Join(dir, "roots.pem") }
func whoFile(dir string) string   { return filepath.Join(dir, "joined.json") }

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
		id.Server, id.Agent, id.token = w.Server, w.Agent, w.Token
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
	if data, err = os.ReadFile(certFile(id.dir)); err != nil {
		return err
	}
	if id.cert, err = parseCertificate(data); err != nil {
		return err
	}
	if !id.key.PublicKey.Equal(id.cert.PublicKey) {
		return errors.New("the certificate is not that of the key")
	}
	if data, err = os.ReadFile(rootsFile(id.dir)); err != nil {
		return err
	}
	id.roots, err = parseCertificates(data)
	return err
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

// Joined makes what the server answered to a join the identity in a directory. The root of the
// token must be among those that the server names. A directory that an agent of another plant has
// is left as it is: an error of kind andon.KindConflict.
func Joined(dir string, token Token, cert, roots []byte) (*Identity, error) {
	leaf, err := parseCertificate(cert)
	if err != nil {
		return nil, fmt.Errorf("the server's answer to a join: %w", err)
	}
	trusted, err := parseCertificates(roots)
	if err != nil {
		return nil, fmt.Errorf("the server's answer to a join: %w", err)
	}
	if !names(trusted, token.Authority) {
		return nil, andon.Errorf(andon.KindRefused, "the server answers with another authority than that of the token")
	}
	plant, agent, ok := AgentOf(leaf)
	if !ok || agent != token.Agent {
		return nil, andon.Errorf(andon.KindRefused, "the server answers with a certificate that is not that of %s", token.Agent)
	}
	if old, err := LoadIdentity(dir); err == nil && old != nil {
		if was, name, _ := AgentOf(old.cert); was != plant || name != agent {
			return nil, andon.Errorf(andon.KindConflict, "the agent's directory belongs to %s of another plant", name).
				WithHint("give the agent a directory of its own with --data")
		}
	}
	if err := writeFile(rootsFile(dir), roots); err != nil {
		return nil, err
	}
	if err := writeFile(certFile(dir), cert); err != nil {
		return nil, err
	}
	data, err := json.Marshal(who{Server: token.Server, Agent: token.Agent, Token: HashSecret(token.Secret)})
	if err != nil {
		return nil, err
	}
	if err := writeFile(whoFile(dir), append(data, '\n')); err != nil {
		return nil, err
	}
	return LoadIdentity(dir)
}

// names reports whether a fingerprint is that of one of the roots.
func names(roots []*x509.Certificate, authority string) bool {
	for _, r := range roots {
		if r.IsCA && fingerprint(r.Raw) == authority {
			return true
		}
	}
	return false
}

// JoinedWith reports whether the agent joined with this very token.
func (id *Identity) JoinedWith(token Token) bool {
	return id.Agent == token.Agent && id.token == HashSecret(token.Secret)
}

// ClientConfig returns how the agent speaks TLS to its plant: as itself, and to no server that
// the plant's authority did not sign as one. The server's host name does not matter, since that
// authority signs one server alone.
func (id *Identity) ClientConfig() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection verifies, all but the name
		VerifyConnection:   func(s tls.ConnectionState) error { return verifyServer(s, id.pool(), id.now()) },
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			id.mu.Lock()
			defer id.mu.Unlock()
			return &tls.Certificate{Certificate: [][]byte{id.cert.Raw}, PrivateKey: id.key, Leaf: id.cert}, nil
		},
	}
}

func (id *Identity) pool() *x509.CertPool {
	id.mu.Lock()
	defer id.mu.Unlock()
	return poolOf(id.roots)
}

func poolOf(roots []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, r := range roots {
		pool.AddCert(r)
	}
	return pool
}

// PinConfig returns how a host that has only a token speaks TLS: to no server but one of the
// authority that the token names.
func PinConfig(token Token) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection verifies, all but the name
		VerifyConnection: func(s tls.ConnectionState) error {
			for _, cert := range s.PeerCertificates {
				if names([]*x509.Certificate{cert}, token.Authority) {
					return verifyServer(s, poolOf([]*x509.Certificate{cert}), time.Now())
				}
			}
			return errOtherPlant()
		},
	}
}

func errOtherPlant() *andon.Error {
	return andon.Errorf(andon.KindRefused, "the server that answers is not the plant that this host knows").
		WithHint("see that its address is that of the plant that made the token, that nothing in between ends its TLS, and that this host's clock is right")
}

func verifyServer(s tls.ConnectionState, pool *x509.CertPool, now time.Time) error {
	if len(s.PeerCertificates) == 0 {
		return errOtherPlant()
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: pool, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	if err != nil {
		return errOtherPlant().Because(err)
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

// Renewed takes the next certificate over, and the roots that the server names now.
func (id *Identity) Renewed(cert, roots []byte) error {
	next, err := parseCertificate(cert)
	if err != nil {
		return fmt.Errorf("the server's answer to a renewal: %w", err)
	}
	trusted, err := parseCertificates(roots)
	if err != nil {
		return fmt.Errorf("the server's answer to a renewal: %w", err)
	}
	if !id.key.PublicKey.Equal(next.PublicKey) {
		return errors.New("the server's answer to a renewal is a certificate of another key")
	}
	_, err = next.Verify(x509.VerifyOptions{Roots: poolOf(trusted), CurrentTime: id.now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return fmt.Errorf("the server's answer to a renewal is a certificate of none of its roots: %w", err)
	}
	// The roots first: they are right for both certificates.
	if err := writeFile(rootsFile(id.dir), roots); err != nil {
		return err
	}
	if err := writeFile(certFile(id.dir), cert); err != nil {
		return err
	}
	id.mu.Lock()
	defer id.mu.Unlock()
	id.cert, id.roots = next, trusted
	return nil
}
