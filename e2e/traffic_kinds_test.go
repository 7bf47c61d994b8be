package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"hash/crc32"
	"io"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/e2e/planttest"
)

const shopHost = "shop.localhost"

// A kind is one way to use the shop, from beginning to end.
type kind struct {
	name string
	use  func() error
}

// A crowd uses the shop in several ways all the time, and counts.
type crowd struct {
	quit  chan struct{}
	users sync.WaitGroup

	mu       sync.Mutex
	used     map[string]int64
	failures []string
}

func startCrowd(kinds []kind) *crowd {
	c := &crowd{quit: make(chan struct{}), used: map[string]int64{}}
	for _, k := range kinds {
		c.users.Go(func() {
			for {
				select {
				case <-c.quit:
					return
				default:
					c.note(k.name, k.use())
				}
			}
		})
	}
	return c
}

func (c *crowd) note(name string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used[name]++
	if err != nil {
		c.failures = append(c.failures, name+": "+err.Error())
	}
}

func (c *crowd) count(name string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used[name]
}

// to returns a client whose connections go to an address, whatever the host of the request.
func to(address string, trust *x509.CertPool) *http.Client {
	t := &http.Transport{
		MaxIdleConnsPerHost: 10, ForceAttemptHTTP2: trust != nil,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	if trust != nil {
		t.TLSClientConfig = &tls.Config{RootCAs: trust}
	}
	return &http.Client{Transport: t, Timeout: planttest.CommandTimeout}
}

// fetch sends a request and returns the whole answer, which must be 200 by that protocol.
func fetch(c *http.Client, protocol, method, url string, body io.Reader) (string, error) {
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		return "", err
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || resp.Proto != protocol) {
		err = fmt.Errorf("%s by %s: %.200s", resp.Status, resp.Proto, text)
	}
	return string(text), err
}

// talk opens a websocket, says something several times, hears it again, and ends it in good order.
func talk(d *websocket.Dialer, url string) error {
	conn, resp, err := d.Dial(url, nil)
	if err != nil {
		return err
	}
	resp.Body.Close()
	defer conn.Close()
	for i := range 20 {
		said := strings.Repeat("x", 1000*i)
		if err := conn.WriteMessage(websocket.TextMessage, []byte(said)); err != nil {
			return err
		}
		_, heard, err := conn.ReadMessage()
		if err != nil {
			return err
		}
		if string(heard) != said {
			return fmt.Errorf("message %d: %d other bytes came back", i, len(heard))
		}
	}
	if err := conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")); err != nil {
		return err
	}
	if _, _, err := conn.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
		return fmt.Errorf("it did not end in good order: %w", err)
	}
	return nil
}

// upload sends 50 MB, which must arrive as they are.
func upload(c *http.Client, protocol, url string, data []byte) error {
	got, err := fetch(c, protocol, http.MethodPost, url, struct{ io.Reader }{bytes.NewReader(data)})
	if want := fmt.Sprintln(len(data), crc32.ChecksumIEEE(data), nil); err == nil && got != want {
		err = fmt.Errorf("%q arrived, want %q", got, want)
	}
	return err
}

func kinds(base, protocol string, c *http.Client, d *websocket.Dialer) []kind {
	data := bytes.Repeat([]byte("0123456789abcdef"), 50_000_000/16)
	return []kind{
		{"requests", func() error {
			_, err := fetch(c, protocol, http.MethodGet, "http"+base+"/slow?ms=20", nil)
			return err
		}},
		{"orders", func() error {
			_, err := fetch(c, protocol, http.MethodPost, "http"+base+"/slow?ms=20", struct{ io.Reader }{strings.NewReader("one")})
			return err
		}},
		{"websockets", func() error { return talk(d, "ws"+base+"/kinds/socket") }},
		{"event streams", func() error {
			got, err := fetch(c, protocol, http.MethodGet, "http"+base+"/kinds/events?count=20", nil)
			if err == nil && strings.Count(got, "data: ") != 20 {
				err = fmt.Errorf("%d of 20 events", strings.Count(got, "data: "))
			}
			return err
		}},
		{"uploads", func() error { return upload(c, protocol, "http"+base+"/kinds/upload", data) }},
	}
}

func TestTraffic_EveryKindOfRequestGoesOnThroughDeploymentsAndARollback(t *testing.T) {
	t.Parallel()
	t.Run("by HTTP/2 and TLS", func(t *testing.T) {
		t.Parallel()
		home := newHome(t)
		trust := certificate(t, home, shopHost)
		secure := planttest.FreeAddress(t)
		p := startFixedPlant(t, "--tls-proxy", secure, "--cert", filepath.Join(home, "cert.pem"), "--key", filepath.Join(home, "key.pem"))
		d := &websocket.Dialer{TLSClientConfig: &tls.Config{RootCAs: trust}, NetDialContext: dialer(secure)}
		p.carriesEveryKind(t, kinds("s://"+shopHost, "HTTP/2.0", to(secure, trust), d))
	})
	t.Run("by HTTP/1.1", func(t *testing.T) {
		t.Parallel()
		p := startFixedPlant(t)
		p.carriesEveryKind(t, kinds("://"+shopHost, "HTTP/1.1", to(p.Proxy, nil), &websocket.Dialer{NetDialContext: dialer(p.Proxy)}))
	})
	t.Run("by HAProxy", func(t *testing.T) {
		t.Parallel()
		p := startWithHAProxy(t)
		p.carriesEveryKind(t, kinds("://"+shopHost, "HTTP/1.1", to(p.Proxy, nil), &websocket.Dialer{NetDialContext: dialer(p.Proxy)}))
	})
}

func dialer(address string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
}

// carriesEveryKind uses the shop in every way while it is deployed and goes back.
func (p *plant) carriesEveryKind(t *testing.T, kinds []kind) {
	shop := p.newShop("drain: 2s", "drain: 3m") // on a busy machine, an upload takes its time
	first := shop.ShipFirst()
	c := startCrowd(kinds)
	end := sync.OnceFunc(func() { close(c.quit); c.users.Wait() })
	t.Cleanup(end)
	each := func() {
		t.Helper()
		before := map[string]int64{}
		for _, k := range kinds {
			before[k.name] = c.count(k.name)
		}
		until(t, "every kind is used", func() error {
			for _, k := range kinds {
				if c.count(k.name) < before[k.name]+2 {
					return fmt.Errorf("%s: %d", k.name, c.count(k.name))
				}
			}
			return nil
		})
	}
	for n := 2; n <= 3; n++ {
		each()
		shop.Ship("Another answer", files{"files/answer.txt": fmt.Sprintf("hello %d\n", n)})
	}
	each()
	p.Andon("rollback", "shop", "production", fmt.Sprint(first), "--reason", "the test goes back").Wants(t, done, "andon rollback")
	each()
	p.idle()
	end()
	if len(c.failures) > 0 {
		t.Errorf("%d of %v failed: %v", len(c.failures), c.used, c.failures[:min(len(c.failures), 10)])
	}
	var all int64
	for _, n := range c.used {
		all += n
	}
	until(t, "the ledgers say what the clients say", func() error {
		sum, err := p.ledgers("shop", "production")
		if err == nil && (sum.Served != all || sum.Requests != all || sum.CutOff != 0) {
			err = fmt.Errorf("%d were served; the ledgers say %+v", all, sum)
		}
		return err
	})
	deployed := p.lastDeployment(t)
	if deployed.Ledger == nil || deployed.Ledger.Upgraded == 0 {
		t.Errorf("the record of %s names no websocket: %+v", deployed.ID, deployed.Ledger)
	}
	t.Logf("%v, none failed", c.used)
}

func (p *plant) lastDeployment(t *testing.T) api.Deployment {
	t.Helper()
	all, err := p.Client.Deployments(t.Context(), api.DeploymentFilter{Service: "shop", Environment: "production", Page: api.Page{Limit: 1}})
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	return all[0]
}

func TestTraffic_ClientsCannotSayWhoTheyAre(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	p.newShop().ShipFirst()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+shopHost+"/kinds/head", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Host": "evil.example.com", "X-Forwarded-Proto": "https", "X-Real-IP": "6.6.6.6",
		"Forwarded": "for=6.6.6.6", "X-Forwarded-User": "admin", "Connection": "X-Secret, keep-alive", "X-Secret": "hop", "Proxy-Authorization": "Basic x", "Te": "gzip",
	} {
		req.Header.Set(name, value)
	}
	resp, err := to(p.Proxy, nil).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var seen struct {
		Host, Protocol string
		Header         http.Header
	}
	if err := json.NewDecoder(resp.Body).Decode(&seen); err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get("X-Hop") != "" {
		t.Error("a field for one connection came back")
	}
	if h := seen.Header; seen.Host != shopHost || h.Get("X-Forwarded-For") != "127.0.0.1" || h.Get("X-Forwarded-Host") != shopHost ||
		h.Get("X-Forwarded-Proto") != "http" || !strings.Contains(h.Get("Forwarded"), "127.0.0.1") {
		t.Errorf("the copy is told %s, %v", seen.Host, h)
	}
	for _, name := range []string{"X-Real-Ip", "X-Forwarded-User", "X-Secret", "Proxy-Authorization", "Te"} {
		if got := seen.Header.Get(name); got != "" {
			t.Errorf("the copy gets %s: %s", name, got)
		}
	}
}

func TestRequests_AreBoundAsTheServiceSays(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) *plant{
		"by the built-in proxy": func(t *testing.T) *plant { return startFixedPlant(t) },
		"by HAProxy":            startWithHAProxy,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			shop := p.newShop("  drain: 2s\n", "  drain: 2s\n  requests: {max_body: 100KB, sticky: cookie}\n")
			shop.ShipFirst()
			c := to(p.Proxy, nil)
			post := func(size int) int {
				t.Helper()
				resp, err := c.Post("http://"+shopHost+"/kinds/upload", "text/plain", strings.NewReader(strings.Repeat("x", size)))
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if cookies := resp.Cookies(); resp.StatusCode == http.StatusOK && (len(cookies) != 1 || cookies[0].Name != "andon-copy") {
					t.Errorf("the cookies are %v", cookies)
				}
				return resp.StatusCode
			}
			if status := post(100_000); status != http.StatusOK {
				t.Errorf("a body of 100 KB: %d", status)
			}
			if status := post(100_001); status != http.StatusRequestEntityTooLarge {
				t.Errorf("a body of a byte more: %d", status)
			}
			// What the version says goes with it.
			shop.Ship("Take more", files{"andon.yaml": p.Pipeline("  drain: 2s\n", "  drain: 2s\n  requests: {max_body: 200KB, sticky: cookie}\n")})
			if status := post(200_000); status != http.StatusOK {
				t.Errorf("a body of 200 KB, when that is the limit: %d", status)
			}
			p.Andon("rollback", "shop", "production").Wants(t, done, "andon rollback")
			p.idle()
			if status := post(200_000); status != http.StatusRequestEntityTooLarge {
				t.Errorf("a body of 200 KB, when 100 KB are the limit again: %d", status)
			}
		})
	}
}

// certificate writes cert.pem and key.pem for host names, and returns what to trust.
func certificate(t *testing.T, dir string, names ...string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: names, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	trust := x509.NewCertPool()
	trust.AddCert(made)
	return trust
}
