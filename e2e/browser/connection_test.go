package browser_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/andon-cd/andon/e2e/planttest"
)

// A wire is between a browser and a plant, and can be cut.
type wire struct {
	t    *testing.T
	to   string
	at   string
	mu   sync.Mutex
	in   net.Listener // nil: it is cut
	open map[net.Conn]bool
}

// newWire returns a wire to an address, which is whole.
func newWire(t *testing.T, to string) *wire {
	t.Helper()
	w := &wire{t: t, to: to, at: planttest.FreeAddress(t), open: map[net.Conn]bool{}}
	w.mend()
	t.Cleanup(w.cut)
	return w
}

// mend lets connections through.
func (w *wire) mend() {
	w.t.Helper()
	in, err := net.Listen("tcp", w.at)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	w.in = in
	w.mu.Unlock()
	go func() {
		for {
			near, err := in.Accept()
			if err != nil {
				return // it is cut
			}
			far, err := net.Dial("tcp", w.to)
			if err != nil {
				near.Close()
				continue
			}
			w.carry(in, near, far)
		}
	}()
}

// carry carries what the ends of a connection send to each other, until one of them is closed; nothing,
// if the wire was cut since the connection came.
func (w *wire) carry(in net.Listener, near, far net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.in != in {
		near.Close()
		far.Close()
		return
	}
	w.open[near], w.open[far] = true, true
	for _, ends := range [][2]net.Conn{{near, far}, {far, near}} {
		go func() {
			_, _ = io.Copy(ends[0], ends[1])
			near.Close()
			far.Close()
			w.mu.Lock()
			defer w.mu.Unlock()
			delete(w.open, near)
			delete(w.open, far)
		}()
	}
}

// cut ends all connections and lets none through.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.in != nil {
		w.in.Close()
		w.in = nil
	}
	for c := range w.open {
		c.Close()
	}
}

// lost waits until the page says that its connection is lost.
func (b *tab) lost() {
	b.t.Helper()
	b.sees("#connection[role=status]", "Connection lost")
	b.icon("lost", "? ")
}

// back waits until the page says nothing of the kind any more.
func (b *tab) back() {
	b.t.Helper()
	b.holds("document.getElementById('connection').textContent === '' && !document.body.classList.contains('stale')")
}

// TestConnection_LostAndBack: a page says that what it shows may be old, and catches up by itself on
// whatever happened meanwhile: on a wire that was cut without being loaded again, and after a crash
// of the server.
func TestConnection_LostAndBack(t *testing.T) {
	needChromium(t)
	t.Parallel()
	p := planttest.StartFixed(t)
	shop := p.NewShop()
	shop.ShipFirst()
	w := newWire(t, strings.TrimPrefix(p.URL, "http://"))
	wired, direct := openSignedIn(t, "http://"+w.at, p.Token), openSignedIn(t, p.URL, p.Token)
	wired.except, direct.except = append(wired.except, "net::ERR_"), append(direct.except, "net::ERR_")
	wired.sees("#row-shop .live", "1")
	wired.mark()
	w.cut()
	wired.lost()
	shop.Ship("Second", planttest.Files{"files/answer.txt": "hello 2\n"})
	w.mend()
	wired.back()
	wired.sees("#row-shop td:last-child .live", "2")
	wired.icon("running", "Board")
	wired.stays()

	direct.open("/services/shop/versions/2")
	p.Kill()
	direct.lost()
	wired.lost()
	p.Start()
	direct.back()
	wired.back()
	shop.Ship("Third", planttest.Files{"files/answer.txt": "hello 3\n"})
	wired.sees("#row-shop td:last-child .live", "3")
	direct.click(`header a[href="/board"]`)
	direct.sees("#row-shop td:last-child .live", "3")
}

// TestConnection_ThroughALoadBalancer: a browser gives up on a stream that is answered with an error;
// the page does not.
func TestConnection_ThroughALoadBalancer(t *testing.T) {
	needChromium(t)
	t.Parallel()
	p := planttest.Start(t)
	to, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	var away, refused atomic.Bool
	through := &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
	}}
	balancer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			http.Error(w, "no server is there", http.StatusBadGateway)
			refused.Store(true)
			return
		}
		through.ServeHTTP(w, r)
	}))
	t.Cleanup(balancer.Close)
	shop := p.NewShop()
	shop.Push()
	b := openSignedIn(t, balancer.URL, p.Token)
	b.except = append(b.except, "net::ERR_", "status of 502")
	b.sees("#row-shop")
	b.mark()
	away.Store(true)
	balancer.CloseClientConnections()
	b.lost()
	planttest.Until(t, patience, "the stream is refused", func() error {
		if !refused.Load() {
			return errors.New("nobody asked for it")
		}
		return nil
	})
	shop.Plant.Wait(shop.Ref(1), "live:production")
	away.Store(false)
	b.back()
	b.sees("#row-shop td:last-child .live", "1")
	b.stays()
}
