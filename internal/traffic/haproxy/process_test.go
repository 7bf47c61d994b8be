package haproxy_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
	"github.com/andon-cd/andon/internal/traffic/haproxy"
	"github.com/andon-cd/andon/internal/traffic/traffictest"
)

var shop = andon.Place{Service: "shop", Environment: "production"}

// A copyServer is a copy that says who it is. The steps let its answers to /events, /hold and /upload go on.
type copyServer struct {
	traffic.Target
	arrived chan string
	step    chan struct{}
}

func newCopy(t *testing.T, name andon.InstanceID) *copyServer {
	c := &copyServer{arrived: make(chan string, 10), step: make(chan struct{}, 10)}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, string(name)) })
	mux.HandleFunc("/hold", func(w http.ResponseWriter, r *http.Request) {
		c.arrived <- r.URL.Path
		select {
		case <-c.step:
		case <-r.Context().Done():
		}
		io.WriteString(w, string(name))
	})
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for n := 1; n <= 3; n++ {
			fmt.Fprintf(w, "data: %d\n\n", n)
			_ = http.NewResponseController(w).Flush()
			c.arrived <- r.URL.Path
			select {
			case <-c.step:
			case <-r.Context().Done():
				return
			}
		}
	})
	mux.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, 1<<20)
		c.arrived <- r.URL.Path
		<-c.step
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n+1<<20, err)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	c.Target = traffic.Target{Instance: name, Address: strings.TrimPrefix(server.URL, "http://"), Weight: 1}
	return c
}

func shopRoute(n int64, targets []traffic.Target, draining ...traffic.Target) traffic.Route {
	return traffic.Route{Place: shop, Generation: n, Hosts: []string{"shop.localhost"}, Targets: targets, Draining: draining, Ledger: andon.NewDeploymentID(shop, n)}
}

func apply(t *testing.T, d *haproxy.Driver, routes ...traffic.Route) {
	t.Helper()
	if err := d.Apply(t.Context(), routes); err != nil {
		t.Fatal(err)
	}
}

func shopState(t *testing.T, d *haproxy.Driver) traffic.RouteState {
	t.Helper()
	s, err := d.State(t.Context())
	if err != nil || len(s.Routes) != 1 {
		t.Fatalf("state %+v, %v", s, err)
	}
	return s.Routes[0]
}

func total(s traffic.RouteState) (sum andon.Ledger) {
	for _, l := range s.Ledgers {
		sum = sum.Plus(l)
	}
	return sum
}

func kill(t *testing.T, pid int, how syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, how); err != nil {
		t.Fatal(err)
	}
}

// A load sends requests all the time.
type load struct {
	sent, answered, broken, refused atomic.Int64
	stop                            chan struct{}
	running                         sync.WaitGroup
}

func startLoad(t *testing.T, c *http.Client) *load {
	l := &load{stop: make(chan struct{})}
	for range 4 {
		l.running.Go(func() {
			for {
				select {
				case <-l.stop:
					return
				default:
					l.one(t, c)
				}
			}
		})
	}
	return l
}

func (l *load) one(t *testing.T, c *http.Client) {
	l.sent.Add(1)
	// POST: the client does not send it again by itself.
	answer, err := c.Post("http://shop.localhost/", "text/plain", http.NoBody)
	if err == nil {
		_, err = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		l.refused.Add(1)
	case err != nil:
		l.broken.Add(1)
	case answer.StatusCode != http.StatusOK:
		t.Errorf("status %d", answer.StatusCode)
	default:
		l.answered.Add(1)
	}
}

func (l *load) end() { close(l.stop); l.running.Wait() }

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within a minute", what)
		case <-ticker.C:
		}
	}
}

func TestHAProxy_CountsWhatClientsCountOverTwoHundredSwitches(t *testing.T) {
	d := open(t, config(t, t.TempDir()))
	copies := []*copyServer{newCopy(t, "shop.production.1.0"), newCopy(t, "shop.production.2.0")}
	apply(t, d, shopRoute(1, []traffic.Target{copies[0].Target}))
	l := startLoad(t, client(t, d.Addr()))
	seen := map[andon.DeploymentID]andon.Ledger{} // a ledger is final once the next has been for a while
	for n := range int64(200) {
		next, last := copies[(n+1)%2], copies[n%2]
		reached := l.answered.Load() + 5
		apply(t, d, shopRoute(n+2, []traffic.Target{next.Target}, last.Target))
		eventually(t, "load goes on", func() bool { return l.answered.Load() >= reached })
		for _, led := range shopState(t, d).Ledgers {
			seen[led.Deployment] = led
		}
	}
	l.end()
	var sum andon.Ledger
	eventually(t, "nothing is in flight, and all is counted", func() bool {
		s := shopState(t, d)
		sum = andon.Ledger{}
		for _, led := range s.Ledgers {
			seen[led.Deployment] = led
		}
		for _, led := range seen {
			sum = sum.Plus(led)
		}
		return len(s.InFlight) == 0 && sum.Requests() >= l.sent.Load()
	})
	if len(seen) != 201 || sum.Served != l.answered.Load() || sum.Requests() != l.sent.Load() || l.broken.Load()+l.refused.Load() != 0 {
		t.Errorf("%d ledgers with %+v; of %d requests %d were answered, %d broke, %d were refused",
			len(seen), sum, l.sent.Load(), l.answered.Load(), l.broken.Load(), l.refused.Load())
	}
	if sum.AtSwitch != sum.Drained || sum.CutOff != 0 {
		t.Errorf("ledgers %+v: not all that was in flight at a switch is drained", sum)
	}
	t.Logf("%d requests over 200 switches, %d of them in flight at one", sum.Served, sum.AtSwitch)
}

func TestHAProxy_ThatIsKilledIsBackWithItsRoutes(t *testing.T) {
	d := open(t, config(t, t.TempDir()))
	held := newCopy(t, "shop.production.1.0")
	apply(t, d, shopRoute(1, []traffic.Target{held.Target}))
	address, before := shopState(t, d).Address, d.PID()
	go func() { _, _ = client(t, d.Addr()).Get("http://shop.localhost/hold") }() // it is in flight when HAProxy dies
	<-held.arrived
	eventually(t, "it is seen", func() bool { return shopState(t, d).InFlight[held.Instance] == 1 })
	kill(t, before, syscall.SIGKILL)
	eventually(t, "another process serves", func() bool { return d.PID() != before })
	if got := total(shopState(t, d)); got.Unknown != 1 || got.Requests() != 1 {
		t.Errorf("ledger %+v, want the one request that was in flight as unknown", got)
	}
	before = d.PID()
	l := startLoad(t, client(t, d.Addr()))
	eventually(t, "load runs", func() bool { return l.answered.Load() > 200 })
	killed := time.Now()
	kill(t, before, syscall.SIGKILL)
	fresh := client(t, d.Addr()) // its first answer says that HAProxy is back
	one := &load{}
	eventually(t, "HAProxy answers", func() bool { one.one(t, fresh); return one.answered.Load() > 0 })
	t.Logf("back after %v", time.Since(killed))
	reached := l.answered.Load() + 100
	eventually(t, "load goes on", func() bool { return l.answered.Load() > reached })
	l.end()
	if refused := l.refused.Load() + one.refused.Load(); refused > 0 {
		t.Errorf("%d connections were refused", refused)
	}
	eventually(t, "another process serves", func() bool { return d.PID() != before })
	state := shopState(t, d)
	if state.Generation != 1 || state.Address != address || len(state.Ledgers) != 1 {
		t.Fatalf("state after the kill %+v", state)
	}
	// What ended in the moment before the kill may not have been read: it counts for nothing.
	if led := state.Ledgers[0]; led.Failed != 0 || led.Requests() > l.sent.Load()+one.sent.Load()+1 {
		t.Errorf("ledger %+v; %d were sent", led, l.sent.Load()+one.sent.Load()+1)
	}
}

func TestHAProxy_ThatHangsIsReplaced(t *testing.T) {
	t.Parallel()
	d := open(t, config(t, t.TempDir()))
	apply(t, d, shopRoute(1, []traffic.Target{newCopy(t, "shop.production.1.0").Target}))
	c := client(t, d.Addr())
	c.Transport.(*http.Transport).DisableKeepAlives = true
	l := &load{}
	for range 50 {
		l.one(t, c)
	}
	eventually(t, "all are counted", func() bool { return total(shopState(t, d)).Served == 50 })
	pid := d.PID()
	kill(t, pid, syscall.SIGSTOP)
	eventually(t, "another HAProxy serves", func() bool { return d.PID() != pid })
	for range 50 {
		l.one(t, c)
	}
	eventually(t, "all are counted", func() bool { return total(shopState(t, d)).Served == 100 })
	if got := total(shopState(t, d)); l.answered.Load() != 100 || got.Requests() != 100 {
		t.Errorf("%d of 100 were answered; %+v", l.answered.Load(), got)
	}
}

func TestHAProxy_IsAdoptedByTheNextAgent(t *testing.T) {
	c := config(t, t.TempDir())
	first := open(t, c)
	old, next := newCopy(t, "shop.production.1.0"), newCopy(t, "shop.production.2.0")
	apply(t, first, shopRoute(1, []traffic.Target{old.Target}))
	address, own, pid := first.Addr(), shopState(t, first).Address, first.PID()
	l := startLoad(t, client(t, address))
	eventually(t, "load runs", func() bool { return l.answered.Load() > 100 })
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	reached := l.answered.Load() + 100
	eventually(t, "load goes on without an agent", func() bool { return l.answered.Load() > reached })
	second := open(t, c)
	if second.Addr() != address || second.PID() != pid {
		t.Errorf("adopted at %s as %d, was %s and %d", second.Addr(), second.PID(), address, pid)
	}
	apply(t, second, shopRoute(2, []traffic.Target{next.Target}, old.Target))
	eventually(t, "load reaches the new copy", func() bool {
		ledgers := shopState(t, second).Ledgers
		return len(ledgers) == 2 && ledgers[1].Served > 100
	})
	l.end()
	eventually(t, "nothing is in flight, and all is counted", func() bool {
		s := shopState(t, second)
		return len(s.InFlight) == 0 && total(s).Requests() >= l.sent.Load()
	})
	// What was answered while no agent was there is counted too.
	if got := total(shopState(t, second)); got.Served != l.answered.Load() || got.Requests() != l.sent.Load() || l.broken.Load()+l.refused.Load() > 0 {
		t.Errorf("ledgers %+v; of %d requests %d were answered, %d broke, %d were refused",
			got, l.sent.Load(), l.answered.Load(), l.broken.Load(), l.refused.Load())
	}
	kill(t, pid, syscall.SIGKILL) // the adopting agent keeps it alive as well
	eventually(t, "another process serves", func() bool { return second.PID() != pid })
	if got := shopState(t, second); got.Generation != 2 || !traffictest.SameAddress(t, own, got.Address) {
		t.Errorf("after the kill %+v", got)
	}
}

func TestHAProxy_WithAnotherConfigurationIsReplaced(t *testing.T) {
	c := config(t, t.TempDir())
	first := open(t, c)
	target := newCopy(t, "shop.production.1.0").Target
	apply(t, first, shopRoute(1, []traffic.Target{target}))
	(&load{}).one(t, client(t, first.Addr()))
	eventually(t, "it is counted", func() bool { return total(shopState(t, first)).Served == 1 })
	address, pid := first.Addr(), first.PID()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	c.Backends++
	second := open(t, c)
	apply(t, second, shopRoute(1, []traffic.Target{target}))
	l := &load{}
	l.one(t, client(t, second.Addr()))
	if second.PID() == pid || !traffictest.SameAddress(t, address, second.Addr()) || l.answered.Load() != 1 {
		t.Errorf("at %s as %d, was %s and %d", second.Addr(), second.PID(), address, pid)
	}
	eventually(t, "both are counted", func() bool { return total(shopState(t, second)).Served == 2 })
}

func TestHAProxy_CarriesStreamsAndUploadsOverSwitches(t *testing.T) {
	d := open(t, config(t, t.TempDir()))
	old, fresh := newCopy(t, "shop.production.1.0"), newCopy(t, "shop.production.2.0")
	apply(t, d, shopRoute(1, []traffic.Target{old.Target}))
	c := client(t, d.Addr())
	events, err := c.Get("http://shop.localhost/events")
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	<-old.arrived
	const size = 50 << 20
	uploaded := make(chan string, 1)
	go func() {
		answer, err := c.Post("http://shop.localhost/upload", "application/octet-stream", io.LimitReader(zeros{}, size))
		if err != nil {
			uploaded <- err.Error()
			return
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body) // a broken answer is another than what is wanted
		uploaded <- string(text)
	}()
	<-old.arrived
	apply(t, d, shopRoute(2, []traffic.Target{fresh.Target}, old.Target))
	apply(t, d, shopRoute(3, []traffic.Target{fresh.Target}, old.Target))
	if got := shopState(t, d); got.InFlight[old.Instance] != 2 || got.Ledgers[1].AtSwitch != 2 || got.Ledgers[2].AtSwitch != 0 {
		t.Errorf("after the switches %+v", got)
	}
	for range 3 + 1 { // three steps of the stream, one of the upload: either may have one
		old.step <- struct{}{}
	}
	if got := <-uploaded; got != fmt.Sprint(size, nil) {
		t.Errorf("the upload was answered with %q", got)
	}
	var lines []string
	for s := bufio.NewScanner(events.Body); s.Scan(); {
		lines = append(lines, s.Text())
	}
	if got := strings.Join(lines, "|"); got != "data: 1||data: 2||data: 3|" {
		t.Errorf("events %q", got)
	}
	eventually(t, "both are drained and counted", func() bool {
		got := total(shopState(t, d))
		return got.Drained == 2 && got.Served == 2
	})
	if got := total(shopState(t, d)); got.Served != 2 || got.Requests() != 2 || got.CutOff != 0 {
		t.Errorf("ledgers %+v", got)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestApply_WithoutAFreeBackendChangesNothing(t *testing.T) {
	c := config(t, t.TempDir())
	c.Backends = 2
	d := open(t, c)
	one, two, three := newCopy(t, "shop.production.1.0"), newCopy(t, "shop.production.2.0"), newCopy(t, "shop.production.3.0")
	cl := client(t, d.Addr())
	ended := make(chan error, 1)
	hold := func() {
		answer, err := cl.Get("http://shop.localhost/hold")
		if err == nil {
			answer.Body.Close()
		}
		ended <- err
	}
	apply(t, d, shopRoute(1, []traffic.Target{one.Target}))
	go hold()
	<-one.arrived
	apply(t, d, shopRoute(2, []traffic.Target{two.Target}, one.Target))
	third := shopRoute(3, []traffic.Target{three.Target}, one.Target, two.Target)
	if err := d.Apply(t.Context(), []traffic.Route{third}); andon.KindOf(err) != andon.KindUnavailable {
		t.Errorf("with both backends in use: %v, want unavailable", err)
	}
	if got := shopState(t, d); got.Generation != 2 || got.InFlight[one.Instance] != 1 {
		t.Errorf("after the refusal %+v", got)
	}
	one.step <- struct{}{}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	eventually(t, "a backend becomes free", func() bool {
		err := d.Apply(t.Context(), []traffic.Route{third})
		if err != nil && andon.KindOf(err) != andon.KindUnavailable {
			t.Fatal(err)
		}
		return err == nil
	})
	if got := shopState(t, d); got.Generation != 3 {
		t.Errorf("with a free backend %+v", got)
	}
}
