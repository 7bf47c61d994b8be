package ca

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

const (
	// rootLife is how long a root is valid.
	rootLife = 5 * 365 * 24 * time.Hour
	// ahead is how long before the end of the newest root the next one is made.
	ahead = 365 * 24 * time.Hour
	// settling is how long a root that follows another is only trusted, before it signs: every
	// agent has had its certificate renewed meanwhile, and has learnt of the root with it.
	settling = 2 * AgentLife
	// AgentLife is how long the certificate of an agent is valid.
	AgentLife = 30 * 24 * time.Hour
	// serverLife is how long the certificate of the server is valid.
	serverLife = 90 * 24 * time.Hour
	// early is how much before now certificates begin: clocks differ.
	early = 10 * time.Minute
)

// An Authority signs certificates. Its methods may be called from any goroutine.
//
// It has one root, and towards the end of that a second one, which both sides trust long before
// it begins to sign. So nobody has to join again when a root ends.
type Authority struct {
	dir string
	now func() time.Time

	mu    sync.Mutex
	roots []root // those that are valid, the oldest first; at least one
}

// A root is a certificate that signs others, with its key.
type root struct {
	number int
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
}

// Open returns the authority of a directory, which is made on first use: the keys are readable by
// their owner alone. The clock is now.
func Open(dir string, now func() time.Time) (*Authority, error) {
	a := &Authority{dir: dir, now: now}
	err := a.read()
	if err == nil {
		err = a.Tend()
	}
	if err != nil {
		return nil, andon.Errorf(andon.KindUnavailable, "the certificate authority in %s cannot be used", dir).
			WithHint("restore the directory from a backup; or remove it, and let every host join again").Because(err)
	}
	return a, nil
}

// Tend makes the next root when it is time to, and forgets those that have ended. Whoever has the
// authority calls it now and then; after an error everything is as before.
func (a *Authority) Tend() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	last := 0
	if n := len(a.roots); n > 0 {
		last = a.roots[n-1].number
		if now.Before(a.roots[n-1].cert.NotAfter.Add(-ahead)) {
			a.forget(now)
			return nil
		}
	}
	next, err := create(a.dir, last+1, now)
	if err != nil {
		return err
	}
	a.roots = append(a.roots, next)
	a.forget(now)
	return nil
}

// forget drops the roots that have ended. What stays of their files is harmless.
func (a *Authority) forget(now time.Time) {
	a.roots = slices.DeleteFunc(a.roots, func(r root) bool {
		if now.Before(r.cert.NotAfter) {
			return false
		}
		_ = os.Remove(r.keyFile(a.dir))
		_ = os.Remove(r.certFile(a.dir))
		return true
	})
}

func (r root) certFile(dir string) string { return rootName(dir, r.number) + ".pem" }
func (r root) keyFile(dir string) string  { return rootName(dir, r.number) + ".key" }

func rootName(dir string, number int) string {
	return filepath.Join(dir, "root-"+strconv.Itoa(number))
}

// read reads the roots of the directory.
func (a *Authority) read() error {
	files, err := filepath.Glob(filepath.Join(a.dir, "root-*.pem"))
	if err != nil {
		return err
	}
	for _, file := range files {
		var number int
		if n, _ := fmt.Sscanf(filepath.Base(file), "root-%d.pem", &number); n != 1 || filepath.Base(file) != fmt.Sprintf("root-%d.pem", number) {
			continue
		}
		r, err := readRoot(a.dir, number)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		a.roots = append(a.roots, r)
	}
	slices.SortFunc(a.roots, func(x, y root) int { return cmp.Compare(x.number, y.number) })
	return nil
}

func readRoot(dir string, number int) (root, error) {
	r := root{number: number}
	data, err := os.ReadFile(r.certFile(dir))
	if err != nil {
		return r, err
	}
	if r.cert, err = parseCertificate(data); err != nil {
		return r, err
	}
	if data, err = os.ReadFile(r.keyFile(dir)); err != nil {
		return r, err
	}
	if r.key, err = parseKey(data); err != nil {
		return r, err
	}
	if !r.key.PublicKey.Equal(r.cert.PublicKey) {
		return r, errors.New("the key is not that of the certificate")
	}
	return r, nil
}

// create makes a root. The certificate is written last: without it there is none.
func create(dir string, number int, now time.Time) (root, error) {
	r := root{number: number}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return r, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return r, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "andon " + strconv.Itoa(number)},
		NotBefore: now.Add(-early), NotAfter: now.Add(rootLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return r, err
	}
	if r.cert, err = x509.ParseCertificate(der); err != nil {
		return r, err
	}
	r.key = key
	keyPEM, err := encodeKey(key)
	if err != nil {
		return r, err
	}
	if err := writeFile(r.keyFile(dir), keyPEM); err != nil {
		return r, err
	}
	return r, writeFile(r.certFile(dir), encodeCertificate(r.cert.Raw))
}

// signer returns the root that signs now: the newest that has settled, else the oldest.
func (a *Authority) signer() root {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	for i := len(a.roots) - 1; i > 0; i-- {
		if !now.Before(a.roots[i].cert.NotBefore.Add(settling)) {
			return a.roots[i]
		}
	}
	return a.roots[0]
}

// trusted returns the roots that are valid.
func (a *Authority) trusted() []root {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.roots)
}

// PEM returns the certificates of all roots that are valid: what agents are to trust.
func (a *Authority) PEM() []byte {
	var all []byte
	for _, r := range a.trusted() {
		all = append(all, encodeCertificate(r.cert.Raw)...)
	}
	return all
}

// Fingerprint returns what a join token says of the authority: of the root that signs now.
func (a *Authority) Fingerprint() string { return fingerprint(a.signer().cert.Raw) }

// pool returns the roots that are valid.
func (a *Authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	for _, r := range a.trusted() {
		pool.AddCert(r.cert)
	}
	return pool
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
