package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/andon-cd/andon/internal/andon"
)

// ACME says where certificates for the routes' host names come from.
type ACME struct {
	Email string `json:"email,omitempty"` // of whom the authority can write to; may be empty
	CA    string `json:"ca,omitempty"`    // URL of the authority's directory; empty: Let's Encrypt
	Root  string `json:"root,omitempty"`  // file with the certificate that signs for CA's own HTTPS; empty: the system's
	// Challenge is the one way to prove that a host name leads here: "http-01" or "tls-alpn-01".
	// Empty: whichever works.
	Challenge string `json:"challenge,omitempty"`
}

// certificates are what the TLS listeners show: a given one, which is read again when its file
// changes, or those that an authority signed for the host names of the routes, in DIR/certs. No
// other name a client may ask for makes anybody ask for a certificate.
type certificates struct {
	config Settings
	log    *slog.Logger
	hosts  func() []string // that have a route now

	given   atomic.Pointer[tls.Certificate]
	changed time.Time // of the files, the last time they were read; belongs to reload

	magic  *certmagic.Config // nil: no authority is asked
	cache  *certmagic.Cache
	issuer *certmagic.ACMEIssuer
	wake   chan struct{}
	ctx    context.Context // of what is asked for
	stop   context.CancelFunc
	mu     sync.Mutex // guards managed
	names  map[string]bool
}

// openCertificates reads the given certificate, or prepares to ask for some. ports are those of
// the listeners that the authority reaches as 80 and 443.
func openCertificates(dir string, config Settings, httpPort, tlsPort int, hosts func() []string, log *slog.Logger) (*certificates, error) {
	c := &certificates{config: config, log: log, hosts: hosts, wake: make(chan struct{}, 1), names: map[string]bool{}}
	c.ctx, c.stop = context.WithCancel(context.Background())
	if config.CertFile != "" {
		if err := c.load(); err != nil {
			return nil, err
		}
	}
	if config.ACME != nil {
		if err := c.prepare(filepath.Join(dir, "certs"), *config.ACME, httpPort, tlsPort); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// load reads the given certificate.
func (c *certificates) load() error {
	changed, err := c.fileTime()
	if err != nil {
		return unreadable(c.config, err)
	}
	pair, err := tls.LoadX509KeyPair(c.config.CertFile, c.config.KeyFile)
	if err != nil {
		return unreadable(c.config, err)
	}
	c.changed = changed
	c.given.Store(&pair)
	return nil
}

func unreadable(config Settings, err error) error {
	return andon.Errorf(andon.KindInvalid, "The certificate in %s with the key in %s cannot be used.", config.CertFile, config.KeyFile).Because(err).
		WithHint("Both files are PEM; the key belongs to the first certificate of the chain, and the proxy's user may read it.")
}

// fileTime returns when the newer of the two files was changed.
func (c *certificates) fileTime() (newest time.Time, err error) {
	for _, name := range []string{c.config.CertFile, c.config.KeyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return newest, err
		}
		if info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	return newest, nil
}

// reload reads the given certificate again if its files have changed. While they cannot be used,
// the one before stays.
func (c *certificates) reload() {
	if c == nil || c.config.CertFile == "" {
		return
	}
	changed, err := c.fileTime()
	if err == nil && changed.Equal(c.changed) {
		return
	}
	if err = c.load(); err != nil {
		c.log.Error("the certificate's files have changed, and cannot be used: the one before stays", "error", err)
		return
	}
	c.log.Info("the certificate was read again", "file", c.config.CertFile)
}

// prepare makes what asks the authority.
func (c *certificates) prepare(dir string, config ACME, httpPort, tlsPort int) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("directory of certificates: %w", err)
	}
	roots, err := rootsOf(config.Root)
	if err != nil {
		return err
	}
	logger := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.Lock(os.Stderr), zapcore.WarnLevel))
	c.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return c.magic, nil },
		Logger:           logger,
	})
	c.magic = certmagic.New(c.cache, certmagic.Config{
		Storage: &certmagic.FileStorage{Path: dir},
		OCSP:    certmagic.OCSPConfig{DisableStapling: true},
		Logger:  logger,
		OnEvent: c.event,
	})
	ca := config.CA
	if ca == "" {
		ca = certmagic.LetsEncryptProductionCA
	}
	c.issuer = certmagic.NewACMEIssuer(c.magic, certmagic.ACMEIssuer{
		CA: ca, TestCA: ca, Email: config.Email, Agreed: true, TrustedRoots: roots, Logger: logger,
		DisableHTTPChallenge:    config.Challenge == "tls-alpn-01",
		DisableTLSALPNChallenge: config.Challenge == "http-01",
		AltHTTPPort:             httpPort, AltTLSALPNPort: tlsPort,
	})
	c.magic.Issuers = []certmagic.Issuer{c.issuer}
	return nil
}

func rootsOf(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(text) {
		return nil, andon.Errorf(andon.KindInvalid, "%s has no certificate of an authority.", file).Because(err)
	}
	return pool, nil
}

// event logs what people want to know.
func (c *certificates) event(_ context.Context, name string, data map[string]any) error {
	switch name {
	case "cert_obtained":
		c.log.Info("a certificate was obtained", "host", data["identifier"], "renewal", data["renewal"])
	case "cert_failed":
		c.log.Error("a certificate cannot be obtained; it is tried again", "host", data["identifier"], "error", data["error"])
	}
	return nil
}

// manage asks for the certificates of the hosts that have a route now, loads what there is
// already before it returns, and lets go of the others.
func (c *certificates) manage() {
	if c == nil || c.magic == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	wanted := map[string]bool{}
	var fresh []string
	for _, h := range c.hosts() {
		if !certmagic.SubjectQualifiesForCert(h) {
			continue
		}
		wanted[h] = true
		if !c.names[h] {
			fresh = append(fresh, h)
		}
	}
	var old []certmagic.SubjectIssuer
	for h := range c.names {
		if !wanted[h] {
			old = append(old, certmagic.SubjectIssuer{Subject: h})
		}
	}
	if len(old) > 0 {
		c.cache.RemoveManaged(old)
	}
	c.names = wanted
	if len(fresh) == 0 {
		return
	}
	slices.Sort(fresh)
	if err := c.magic.ManageAsync(c.ctx, fresh); err != nil && c.ctx.Err() == nil {
		c.log.Error("the certificates of some hosts cannot be managed", "error", err)
	}
}

// follow manages when the routes have changed, until ctx ends.
func (c *certificates) follow(ctx context.Context) {
	if c == nil || c.magic == nil {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
			c.manage()
		}
	}
}

// routesChanged never blocks.
func (c *certificates) routesChanged() {
	if c == nil {
		return
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// close ends what is asked for: the process that takes over goes on with it.
func (c *certificates) close() {
	if c == nil {
		return
	}
	c.stop()
	if c.cache != nil {
		c.cache.Stop()
	}
}

var errNoCertificate = errors.New("there is no certificate for that host")

// get returns what a client is shown.
func (c *certificates) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.magic != nil && slices.Contains(hello.SupportedProtos, challengeProtocol) {
		return c.magic.GetCertificate(hello)
	}
	given := c.given.Load()
	if given != nil && (c.magic == nil || given.Leaf.VerifyHostname(hello.ServerName) == nil) {
		return given, nil
	}
	c.mu.Lock()
	known := c.names[canonicalHost(hello.ServerName)]
	c.mu.Unlock()
	if c.magic == nil || !known {
		return nil, errNoCertificate
	}
	return c.magic.GetCertificate(hello)
}

// challengeProtocol is what an authority speaks that looks for the answer to tls-alpn-01.
const challengeProtocol = "acme-tls/1"

// tls returns the configuration of the TLS listeners.
func (c *certificates) tls() *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"}}
	if c.magic != nil {
		config.NextProtos = append(config.NextProtos, challengeProtocol)
	}
	return config
}

// challenge answers an authority that looks for the answer to http-01, and reports whether it did.
func (c *certificates) challenge(w http.ResponseWriter, r *http.Request) bool {
	return c != nil && c.issuer != nil && strings.HasPrefix(r.URL.Path, "/.well-known/acme-challenge/") && c.issuer.HandleHTTPChallenge(w, r)
}

// checkFiles says what is wrong with the files that the settings name, before a proxy is started.
func (s Settings) checkFiles() error {
	if (s.CertFile == "") != (s.KeyFile == "") {
		return andon.Errorf(andon.KindInvalid, "A certificate needs its key, and a key its certificate.").WithHint("Give --cert FILE and --key FILE together.")
	}
	if s.CertFile != "" {
		if _, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile); err != nil {
			return unreadable(s, err)
		}
	}
	if s.ACME != nil {
		_, err := rootsOf(s.ACME.Root)
		return err
	}
	return nil
}
