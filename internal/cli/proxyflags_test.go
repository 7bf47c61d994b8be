package cli

import (
	"path/filepath"
	"testing"
	"time"
)

func TestProxyFlags_BecomeSettings(t *testing.T) {
	f := proxyFlags{TLSProxy: ":443", Cert: "cert.pem", Key: "/key.pem", ACMEEmail: "a@b", ACMERoot: "root.pem", RedirectHTTPS: true,
		ClientPause: 30 * time.Second, TrustedProxy: []string{"10.1.2.3/8", "192.0.2.1", "2001:db8::1"}, ClientLimit: 7, AccessLog: true}
	s, err := f.settings()
	if err != nil {
		t.Fatal(err)
	}
	if !filepath.IsAbs(s.CertFile) || s.KeyFile != "/key.pem" || !filepath.IsAbs(s.ACME.Root) || s.ACME.Email != "a@b" || !s.Redirect || !s.AccessLog || s.ClientConnections != 7 || s.ClientPause != 30*time.Second {
		t.Errorf("settings %+v", s)
	}
	for i, want := range []string{"10.0.0.0/8", "192.0.2.1/32", "2001:db8::1/128"} {
		if got := s.Trusted[i].String(); got != want {
			t.Errorf("trusted network %s, want %s", got, want)
		}
	}
	for name, want := range map[string]string{"": "", "proxy": "", "haproxy": "haproxy ", "haproxy=/opt/haproxy": "haproxy /opt/haproxy"} {
		useHAProxy, program, err := (&proxyFlags{Traffic: name}).chosen()
		if got := map[bool]string{true: "haproxy " + program}[useHAProxy]; err != nil || got != want {
			t.Errorf("--traffic %s: %q, %v; want %q", name, got, err, want)
		}
	}
	for _, bad := range []string{"nginx", "haproxy=", "proxy=/usr/bin/proxy", "=", "HAProxy"} {
		if _, _, err := (&proxyFlags{Traffic: bad}).chosen(); err == nil {
			t.Errorf("--traffic %s is taken", bad)
		}
	}
	for name, bad := range map[string]proxyFlags{
		"a pause that nobody can keep": {ClientPause: time.Millisecond},
		"no network":                   {TrustedProxy: []string{"10.0.0.0/99"}},
		"a certificate for nobody":     {Cert: "cert.pem", Key: "key.pem"},
		"an authority for nobody":      {ACMEEmail: "a@b"},
		"a redirection to nowhere":     {RedirectHTTPS: true},
		"another authority for nobody": {ACMECA: "https://ca.example.com"},
	} {
		if s, err := bad.settings(); err == nil {
			t.Errorf("%s: %+v", name, s)
		}
	}
}
