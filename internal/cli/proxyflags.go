package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/server"
	"github.com/andon-cd/andon/internal/traffic/haproxy"
	"github.com/andon-cd/andon/internal/traffic/proxy"
)

// proxyFlags say what moves the requests of a host, and how it is kept. Those after the HAProxy's
// are for the built-in proxy.
type proxyFlags struct {
	Traffic       string        `default:"proxy" placeholder:"DRIVER" help:"What moves requests to the copies: proxy, the built-in one, or haproxy; haproxy=FILE names the program. (default ${default})"`
	Copies        int           `name:"haproxy-copies" placeholder:"N" help:"How many copies of one service HAProxy can send requests to. (default 16)"`
	Backends      int           `name:"haproxy-backends" placeholder:"N" help:"How many routes HAProxy has, each with those of its older states in which requests are still in flight. (default 128)"`
	TLSProxy      string        `name:"tls-proxy" placeholder:"ADDR" help:"Where the services answer by HTTPS, as in :443. It needs --cert and --key, or --acme-email."`
	Cert          string        `placeholder:"FILE" help:"The certificate for HTTPS, with those that lead to its authority (PEM). It is read again when it changes."`
	Key           string        `placeholder:"FILE" help:"The key of the certificate (PEM)."`
	ACMEEmail     string        `name:"acme-email" placeholder:"ADDRESS" help:"Get certificates for the host names of the routes from an authority, which may write to this address. Its terms are agreed to."`
	ACMECA        string        `name:"acme-ca" placeholder:"URL" help:"The authority's ACME directory. (default: Let's Encrypt)"`
	ACMERoot      string        `name:"acme-ca-root" placeholder:"FILE" help:"What signs for the authority's own HTTPS (PEM), if the system does not know it."`
	RedirectHTTPS bool          `name:"redirect-https" help:"Send clients that come by HTTP to HTTPS."`
	TrustedProxy  []string      `name:"trusted-proxy" placeholder:"CIDR" help:"Believe what the proxies of this network say of their clients (X-Forwarded-*, Forwarded). May be repeated."`
	ClientLimit   int           `name:"client-connections" placeholder:"N" help:"How many connections one client may have at a time. (default 2500)"`
	ClientPause   time.Duration `name:"client-pause" placeholder:"TIME" help:"How long a client may pause while it sends a body or takes an answer. (default 2m)"`
	AccessLog     bool          `name:"access-log" help:"Write a line for each request to access.log in the proxy's directory."`
}

// settings returns what the flags say, with absolute paths: the proxy has a directory of its own.
func (f *proxyFlags) settings() (s proxy.Settings, err error) {
	if f.ClientPause < 0 || f.ClientPause > 0 && f.ClientPause < time.Second {
		return s, usage("--client-pause is too short", "Give clients a second at least, as in --client-pause 30s.")
	}
	s = proxy.Settings{ClientConnections: f.ClientLimit, ClientPause: f.ClientPause, Redirect: f.RedirectHTTPS, AccessLog: f.AccessLog}
	root := ""
	for _, file := range []struct {
		from string
		to   *string
	}{{f.Cert, &s.CertFile}, {f.Key, &s.KeyFile}, {f.ACMERoot, &root}} {
		if file.from != "" {
			if *file.to, err = filepath.Abs(file.from); err != nil {
				return s, err
			}
		}
	}
	if f.TLSProxy == "" && (f.Cert != "" || f.Key != "" || f.ACMEEmail != "" || f.ACMECA != "" || f.RedirectHTTPS) {
		return s, usage("certificates and HTTPS need an address", "Give one with --tls-proxy, as in --tls-proxy :443.")
	}
	if f.ACMEEmail != "" || f.ACMECA != "" {
		s.ACME = &proxy.ACME{Email: f.ACMEEmail, CA: f.ACMECA, Root: root}
	}
	for _, text := range f.TrustedProxy {
		network, err := netip.ParsePrefix(text)
		if address, parseErr := netip.ParseAddr(text); parseErr == nil {
			network, err = address.Prefix(address.BitLen())
		}
		if err != nil {
			return s, usage(fmt.Sprintf("%q is no network", text), "Write a network as 10.0.0.0/8, or an address as 10.1.2.3.")
		}
		s.Trusted = append(s.Trusted, network.Masked())
	}
	return s, nil
}

// chosen returns whether HAProxy is to move the requests, and the program that was named for it.
func (f *proxyFlags) chosen() (useHAProxy bool, program string, err error) {
	name, program, named := strings.Cut(f.Traffic, "=")
	switch {
	case (name == "proxy" || name == "") && !named:
		return false, "", nil
	case name == "haproxy" && (program != "" || !named):
		return true, program, nil
	}
	return false, "", usage(fmt.Sprintf("%q does not move requests", f.Traffic), "Write --traffic proxy, --traffic haproxy, or --traffic haproxy=/usr/sbin/haproxy.")
}

// onlyBuiltIn returns a flag that was given and that HAProxy cannot follow; empty: there is none.
func (f *proxyFlags) onlyBuiltIn() string {
	for _, flag := range []struct {
		name  string
		given bool
	}{
		{"--tls-proxy", f.TLSProxy != ""}, {"--cert", f.Cert != ""}, {"--key", f.Key != ""}, {"--acme-email", f.ACMEEmail != ""},
		{"--acme-ca", f.ACMECA != ""}, {"--acme-ca-root", f.ACMERoot != ""}, {"--redirect-https", f.RedirectHTTPS},
		{"--trusted-proxy", len(f.TrustedProxy) > 0}, {"--client-connections", f.ClientLimit != 0}, {"--client-pause", f.ClientPause != 0}, {"--access-log", f.AccessLog},
	} {
		if flag.given {
			return flag.name
		}
	}
	return ""
}

// drivers returns the concrete parts of a plant, with the proxy that the flags say.
func (f *proxyFlags) drivers(c *call) (server.Drivers, error) {
	d := drivers()
	useHAProxy, program, err := f.chosen()
	if err != nil {
		return d, err
	}
	if useHAProxy {
		d.Proxy, err = f.haproxyOpener(c.ctx, program)
		return d, err
	}
	if f.Copies != 0 || f.Backends != 0 {
		return d, usage("--haproxy-copies and --haproxy-backends are for HAProxy, which does not move the requests here", "Say --traffic haproxy too, or leave them out: the built-in proxy needs no such numbers.")
	}
	settings, err := f.settings()
	if err != nil {
		return d, err
	}
	d.Proxy = func(ctx context.Context, dir, listen string, log *slog.Logger) (server.Proxy, error) {
		p, err := openProxy(ctx, dir, listen, f.TLSProxy, settings, log)
		if err != nil {
			return nil, err // and no proxy that is there but nil
		}
		if address := p.AddrTLS(); address != "" {
			fmt.Fprintf(c.err, "The services answer by HTTPS at %s.\n", address)
		}
		return p, nil
	}
	return d, nil
}

// haproxyOpener returns what opens HAProxy. What it needs is looked at before anything starts.
func (f *proxyFlags) haproxyOpener(ctx context.Context, program string) (func(context.Context, string, string, *slog.Logger) (server.Proxy, error), error) {
	if flag := f.onlyBuiltIn(); flag != "" {
		return nil, usage(flag+" is for the built-in proxy: HAProxy is not told of it", "Leave out either "+flag+" or --traffic haproxy.")
	}
	program, _, err := haproxy.Find(ctx, program)
	if err != nil {
		return nil, err
	}
	config := haproxy.Config{Program: program, Slots: f.Copies, Backends: f.Backends}
	return func(ctx context.Context, dir, listen string, log *slog.Logger) (server.Proxy, error) {
		config.Listen, config.Log = []string{listen}, log
		p, err := openHAProxy(ctx, dir, config)
		if err != nil {
			return nil, err // and no proxy that is there but nil
		}
		return p, nil
	}, nil
}
