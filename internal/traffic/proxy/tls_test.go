package proxy_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic/proxy"
	"github.com/andon-cd/andon/internal/traffic/traffictest"
)

// selfSigned writes a certificate for the host and its key, and returns it.
func selfSigned(t *testing.T, certFile, keyFile, host string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) {
		if err := os.WriteFile(name+".new", pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(name+".new", name); err != nil {
			t.Fatal(err)
		}
	}
	write(keyFile, "EC PRIVATE KEY", keyDER)
	write(certFile, "CERTIFICATE", der)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// secureClient returns a client that connects to the address and trusts the roots.
func secureClient(t *testing.T, address string, roots *x509.CertPool, http2 bool) *http.Client {
	transport := &http.Transport{
		MaxIdleConnsPerHost: 100,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
		TLSClientConfig:       &tls.Config{RootCAs: roots},
		ForceAttemptHTTP2:     http2,
		ExpectContinueTimeout: time.Minute,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// secure opens a proxy with a certificate of its own for shop.localhost.
func secure(t *testing.T) (*proxy.Driver, proxy.Config, *x509.CertPool) {
	t.Helper()
	files := t.TempDir()
	c := config(t, t.TempDir())
	c.ListenTLS = []string{"127.0.0.1:0"}
	c.CertFile, c.KeyFile = filepath.Join(files, "cert.pem"), filepath.Join(files, "key.pem")
	roots := x509.NewCertPool()
	roots.AddCert(selfSigned(t, c.CertFile, c.KeyFile, "shop.localhost"))
	return open(t, c), c, roots
}

func TestProxyConformsOverTLS(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP1": false, "HTTP2": true} {
		t.Run(name, func(t *testing.T) {
			traffictest.Run(t, func(t *testing.T) traffictest.Subject {
				d, c, roots := secure(t)
				_ = c
				trusting := secureClient(t, d.AddrTLS(), roots, http2)
				trusting.Transport.(*http.Transport).TLSClientConfig.ServerName = "shop.localhost"
				return traffictest.Subject{Traffic: d, Addr: d.Addr(), Groups: true, Secure: true, Do: func(r *http.Request) (*http.Response, error) {
					r.URL.Scheme = "https"
					answer, err := trusting.Do(r)
					if err == nil && (answer.ProtoMajor == 2) != http2 {
						t.Errorf("answered by %s", answer.Proto)
					}
					return answer, err
				}}
			})
		})
	}
}

func TestProxy_ReadsACertificateAgainThatHasChanged(t *testing.T) {
	t.Parallel() // the files are looked at every few seconds
	d, c, roots := secure(t)
	apply(t, d, shopRoute(1, copyServer(t, "shop.production.1.0", nil)))
	serial := func() string {
		conn, err := tls.Dial("tcp", d.AddrTLS(), &tls.Config{RootCAs: roots, ServerName: "shop.localhost"})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	first := serial()
	next := selfSigned(t, c.CertFile, c.KeyFile, "shop.localhost")
	roots.AddCert(next)
	eventually(t, "the new certificate is shown", func() bool { return serial() == next.SerialNumber.String() })
	if err := os.WriteFile(c.CertFile, []byte("this is no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(c.Dir, "proxy.log")
	eventually(t, "the log says so", func() bool {
		text, err := os.ReadFile(log)
		return err == nil && strings.Contains(string(text), "the one before stays")
	})
	if got := serial(); got != next.SerialNumber.String() || got == first {
		t.Errorf("the certificate is %s, want the last good one", got)
	}
}

func TestProxy_IsReplacedUnderTLSWithoutALoss(t *testing.T) {
	d, _, roots := secure(t)
	apply(t, d, shopRoute(1, copyServer(t, "shop.production.1.0", nil)))
	for name, http2 := range map[string]bool{"HTTP1": false, "HTTP2": true} {
		c := secureClient(t, d.AddrTLS(), roots, http2)
		before := shopState(t, d).Ledgers[0].Served
		l := startLoad(t, rewriting{c})
		for range 2 {
			answered, pid := l.answered.Load(), pidOf(t, d)
			eventually(t, "load runs", func() bool { return l.answered.Load() > answered+50 })
			if err := d.Replace(t.Context()); err != nil {
				t.Fatal(err)
			}
			finished(t, pid)
		}
		l.end()
		if lost := l.broken.Load() + l.refused.Load(); lost > 0 {
			t.Errorf("%s: %d requests were lost", name, lost)
		}
		sent := l.sent.Load()
		eventually(t, "all are counted", func() bool { return shopState(t, d).Ledgers[0].Served-before == sent })
	}
}

// rewriting sends by HTTPS what is to be sent by HTTP.
type rewriting struct{ *http.Client }

func (c rewriting) Post(url, kind string, body io.Reader) (*http.Response, error) {
	return c.Client.Post(strings.Replace(url, "http:", "https:", 1), kind, body)
}

func TestOpen_RefusesCertificatesThatCannotBeUsed(t *testing.T) {
	files := t.TempDir()
	cert, key, text := filepath.Join(files, "cert"), filepath.Join(files, "key"), filepath.Join(files, "text")
	selfSigned(t, cert, key, "shop.localhost")
	if err := os.WriteFile(text, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, settings := range map[string]proxy.Settings{
		"none": {}, "without key": {CertFile: cert}, "not there": {CertFile: files + "/none", KeyFile: key},
		"no certificate": {CertFile: text, KeyFile: key}, "no root": {ACME: &proxy.ACME{Root: text}},
	} {
		c := config(t, t.TempDir())
		c.ListenTLS, c.Settings = []string{"127.0.0.1:0"}, settings
		if d, err := proxy.Open(t.Context(), c); andon.KindOf(err) != andon.KindInvalid {
			t.Errorf("%s: %v", name, err)
			if err == nil {
				d.Close()
			}
		}
	}
}

// authority runs a real ACME server, whose every host name is 127.0.0.1. It returns its directory
// and the file with the certificate of its own listener. It answers once look has told it the ports
// at which it looks for the answers to its challenges.
func authority(t *testing.T) (directory, root string, look func(httpPort, tlsPort int)) {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "0")
	resolver, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	names := &dns.Server{Listener: resolver, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		answer := new(dns.Msg).SetReply(q)
		if len(q.Question) == 1 && q.Question[0].Qtype == dns.TypeA {
			answer.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(127, 0, 0, 1)}}
		}
		_ = w.WriteMsg(answer)
	})}
	go func() { _ = names.ActivateAndServe() }() // until Shutdown
	t.Cleanup(func() { _ = names.Shutdown() })

	answers := http.NewServeMux()
	server := httptest.NewTLSServer(answers)
	t.Cleanup(server.Close)
	root = filepath.Join(t.TempDir(), "root.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(root, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return server.URL + wfe.DirectoryPath, root, func(httpPort, tlsPort int) {
		logger := log.New(t.Output(), "pebble ", 0)
		store := db.NewMemoryStore()
		signer := ca.New(logger, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {Description: "default"}})
		validator := va.New(logger, httpPort, tlsPort, false, resolver.Addr().String(), store)
		front := wfe.New(logger, store, validator, signer, []string{"pebble.test"}, false, false, 0, 0)
		answers.Handle("/", front.Handler())
	}
}

// portOf returns the port of an address, host:port.
func portOf(t *testing.T, address string) int {
	t.Helper()
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return int(at.Port())
}

// obtaining bounds how long it takes to get a certificate: a first try that fails on a busy machine
// is repeated after a minute.
const obtaining = 3 * time.Minute

func TestProxy_GetsCertificatesForTheHostsOfItsRoutesAlone(t *testing.T) {
	for _, challenge := range []string{"http-01", "tls-alpn-01"} {
		t.Run(challenge, func(t *testing.T) {
			c := config(t, t.TempDir())
			c.ListenTLS = []string{"127.0.0.1:0"}
			directory, root, look := authority(t)
			c.ACME = &proxy.ACME{Email: "ops@example.test", CA: directory, Root: root, Challenge: challenge}
			c.Redirect = true
			d := open(t, c)
			secure := portOf(t, d.AddrTLS())
			look(portOf(t, d.Addr()), secure)
			route := shopRoute(1, copyServer(t, "shop.production.1.0", nil))
			route.Hosts = []string{"shop.example.test"}
			apply(t, d, route)

			dial := func(name string) (*x509.Certificate, error) {
				conn, err := tls.Dial("tcp", d.AddrTLS(), &tls.Config{ServerName: name, InsecureSkipVerify: true})
				if err != nil {
					return nil, err
				}
				defer conn.Close()
				return conn.ConnectionState().PeerCertificates[0], conn.ConnectionState().PeerCertificates[0].VerifyHostname(name)
			}
			var first *x509.Certificate
			within(t, obtaining, "there is a certificate", func() bool { var err error; first, err = dial("shop.example.test"); return err == nil })
			for _, name := range []string{"other.example.test", "", "a.shop.example.test", "../../x"} {
				if cert, err := dial(name); err == nil {
					t.Errorf("a client that asks for %q is shown %v", name, cert.DNSNames)
				}
			}

			plain := client(t, d.Addr())
			plain.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			answer, err := plain.Get("http://shop.example.test/a?b=c")
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if want := "https://shop.example.test:" + strconv.Itoa(secure) + "/a?b=c"; answer.StatusCode != http.StatusPermanentRedirect || answer.Header.Get("Location") != want {
				t.Errorf("%d to %q, want %q", answer.StatusCode, answer.Header.Get("Location"), want)
			}

			// Keys are nobody else's to read, and a proxy that takes over has them at once.
			err = filepath.WalkDir(filepath.Join(c.Dir, "certs"), func(path string, e fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				if e.IsDir() && e.Name() == "locks" { // they come and go, and say nothing
					return fs.SkipDir
				}
				info, err := e.Info()
				if err == nil && info.Mode().Perm()&0o077 != 0 {
					t.Errorf("%s has mode %v", path, info.Mode())
				}
				return err
			})
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
			if err := d.Replace(t.Context()); err != nil {
				t.Fatal(err)
			}
			if again, err := dial("shop.example.test"); err != nil || !again.Equal(first) {
				t.Errorf("the proxy that took over shows another certificate: %v", err)
			}

			// A host that gets a route later gets its certificate, one that loses it is let go.
			next := route
			next.Generation, next.Hosts = 2, []string{"new.example.test"}
			apply(t, d, next)
			within(t, obtaining, "the new host has a certificate", func() bool { _, err := dial("new.example.test"); return err == nil })
			if _, err := dial("shop.example.test"); err == nil {
				t.Error("the host without a route is shown a certificate still")
			}
		})
	}
}
