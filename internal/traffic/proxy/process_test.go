package proxy_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
	"github.com/andon-cd/andon/internal/traffic/proxy"
	"github.com/andon-cd/andon/internal/traffic/traffictest"
)

var shop = andon.Place{Service: "shop", Environment: "production"}

// copyServer is a copy that answers at once, but to /hold, and says who it is.
func copyServer(t *testing.T, name andon.InstanceID, held chan<- struct{}) traffic.Target {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hold" {
			held <- struct{}{}
			<-r.Context().Done()
			return
		}
		io.WriteString(w, string(name))
	}))
	t.Cleanup(server.Close)
	return traffic.Target{Instance: name, Address: strings.TrimPrefix(server.URL, "http://"), Weight: 1}
}

func shopRoute(n int64, targets ...traffic.Target) traffic.Route {
	return traffic.Route{Place: shop, Generation: n, Hosts: []string{"shop.localhost"}, Targets: targets, Ledger: andon.NewDeploymentID(shop, n)}
}

func apply(t *testing.T, d *proxy.Driver, routes ...traffic.Route) {
	t.Helper()
	if err := d.Apply(t.Context(), routes); err != nil {
		t.Fatal(err)
	}
}

func shopState(t *testing.T, d *proxy.Driver) traffic.RouteState {
	t.Helper()
	s, err := d.State(t.Context())
	if err != nil || len(s.Routes) != 1 {
		t.Fatalf("state %+v, %v", s, err)
	}
	return s.Routes[0]
}

// pidOf returns the process that serves now.
func pidOf(t *testing.T, d *proxy.Driver) int {
	t.Helper()
	pid, err := d.PID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// A load sends requests all the time, each on a connection of its own or not.
type load struct {
	sent, answered, broken, refused atomic.Int64
	stop                            chan struct{}
	running                         sync.WaitGroup
}

// A poster sends a request with an empty body.
type poster interface {
	Post(url, contentType string, body io.Reader) (*http.Response, error)
}

func startLoad(t *testing.T, c poster) *load {
	l := &load{stop: make(chan struct{})}
	for range 4 {
		l.running.Go(func() {
			for {
				select {
				case <-l.stop:
					return
				default:
				}
				l.one(t, c)
			}
		})
	}
	return l
}

func (l *load) one(t *testing.T, c poster) {
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

// gone reports whether a process has ended.
func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

// finished waits until a proxy that was replaced has ended, after what it had begun: the next
// replacement would not let it.
func finished(t *testing.T, pid int) {
	t.Helper()
	eventually(t, "the one before has finished", func() bool { return gone(pid) })
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	within(t, time.Minute, what, condition)
}

func within(t *testing.T, bound time.Duration, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %v", what, bound)
		case <-ticker.C:
		}
	}
}

func TestProxy_SaysThatServicesAreBeingStartedUntilItIsToldTheRoutes(t *testing.T) {
	c := config(t, t.TempDir())
	d := open(t, c)
	status := func() int {
		t.Helper()
		answer, err := client(t, d.Addr()).Get("http://shop.localhost/")
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if (answer.Header.Get("Retry-After") == "") == (answer.StatusCode == http.StatusServiceUnavailable) {
			t.Errorf("status %d with the header %v", answer.StatusCode, answer.Header)
		}
		return answer.StatusCode
	}
	if got := status(); got != http.StatusServiceUnavailable {
		t.Errorf("status %d before anything is known, want 503", got)
	}
	apply(t, d)
	if got := status(); got != http.StatusNotFound {
		t.Errorf("status %d once it is known that there are no routes, want 404", got)
	}
	pid := pidOf(t, d)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another proxy serves", func() bool { return pidOf(t, d) != pid })
	if got := status(); got != http.StatusNotFound {
		t.Errorf("status %d after a restart, want 404", got)
	}
}

// downtime kills the proxy and returns how long it takes until one answers again.
func downtime(t *testing.T, d *proxy.Driver, l *load) time.Duration {
	t.Helper()
	// A connection of its own for each request: the first answer says that the proxy is back.
	fresh := client(t, d.Addr())
	fresh.Transport.(*http.Transport).DisableKeepAlives = true
	killed := time.Now()
	if err := syscall.Kill(pidOf(t, d), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the proxy answers", func() bool { l.one(t, fresh); return l.answered.Load() > 0 })
	return time.Since(killed)
}

// startTime returns how long this program takes to start, here and now, and to do nothing.
func startTime(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	if err := exec.CommandContext(t.Context(), os.Args[0], "proxy", t.TempDir()).Run(); err == nil {
		t.Fatal("a proxy without a control connection did not end with an error")
	}
	return time.Since(began)
}

func TestProxy_IsBackWithinASecondAfterAKill(t *testing.T) {
	d := open(t, config(t, t.TempDir()))
	held := make(chan struct{}, 1)
	target := copyServer(t, "shop.production.1.0", held)
	apply(t, d, shopRoute(1, target))
	address := shopState(t, d).Address
	go func() { _, _ = client(t, d.Addr()).Get("http://shop.localhost/hold") }() // it is in flight when the proxy dies
	<-held
	l := startLoad(t, client(t, d.Addr()))
	eventually(t, "load runs", func() bool { return l.answered.Load() > 200 })

	one := &load{}
	took := downtime(t, d, one)
	before := l.answered.Load()
	eventually(t, "load goes on", func() bool { return l.answered.Load() > before+200 })
	l.end()
	if refused := l.refused.Load() + one.refused.Load(); refused > 0 {
		t.Errorf("%d connections were refused", refused)
	}

	state := shopState(t, d)
	if state.Generation != 1 || !traffictest.SameAddress(t, address, state.Address) || len(state.Ledgers) != 1 {
		t.Fatalf("state after the kill %+v", state)
	}
	// Of each request that broke, the proxy had read the head (unknown), or it had not (nothing).
	led, answered := state.Ledgers[0], l.answered.Load()+one.answered.Load()
	broken := l.broken.Load() + one.broken.Load() + 1
	if led.Served+led.Unknown < answered || led.Requests() > answered+broken || led.Unknown < 1 || led.Failed != 0 {
		t.Errorf("ledger %+v; %d were answered and %d broke", led, answered, broken)
	}

	// On a busy machine, one kill of several says how long it takes, beyond starting a program at all.
	for kills := 1; took > time.Second+startTime(t); kills++ {
		if kills == 5 {
			t.Fatalf("the proxy was back after %v at the earliest, in %d kills", took, kills)
		}
		other := open(t, config(t, t.TempDir()))
		apply(t, other, shopRoute(1, target))
		took = min(took, downtime(t, other, &load{}))
	}
	t.Logf("the proxy was back after %v", took)
}

// stop makes a proxy hang, as a deadlock would.
func stop(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) }) // if it is still there, it ends with the others
	// It is a child of this process; the signal takes a moment to stop all its threads.
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("process %d does not stop: %v, %v", pid, status, err)
	}
}

func TestProxy_ThatHangsIsReplacedWithinSeconds(t *testing.T) {
	t.Parallel()
	d := open(t, config(t, t.TempDir()))
	apply(t, d, shopRoute(1, copyServer(t, "shop.production.1.0", nil)))
	c := client(t, d.Addr())
	c.Transport.(*http.Transport).DisableKeepAlives = true
	l := &load{}
	for range 100 {
		l.one(t, c)
	}
	pid := pidOf(t, d)
	stop(t, pid)
	began := time.Now()
	eventually(t, "another proxy serves", func() bool { return pidOf(t, d) != pid })
	t.Logf("another proxy served after %v", time.Since(began))
	for range 100 {
		l.one(t, c)
	}
	if l.answered.Load() != 200 {
		t.Errorf("%d of 200 requests were answered", l.answered.Load())
	}
	if state := shopState(t, d); state.Generation != 1 || len(state.Ledgers) != 1 {
		t.Errorf("state %+v, want that of generation 1", state)
	}
	eventually(t, "all are counted", func() bool { return shopState(t, d).Ledgers[0].Served == 200 })
	eventually(t, "the hanging one is gone", func() bool { return gone(pid) })
}

func TestProxy_ThatHangsIsNotAdopted(t *testing.T) {
	t.Parallel()
	c := config(t, t.TempDir())
	first := open(t, c)
	apply(t, first, shopRoute(1, copyServer(t, "shop.production.1.0", nil)))
	address, pid := first.Addr(), pidOf(t, first)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	stop(t, pid)
	second := open(t, c)
	if !traffictest.SameAddress(t, address, second.Addr()) || pidOf(t, second) == pid {
		t.Errorf("at %s as %d, want at %s as another than %d", second.Addr(), pidOf(t, second), address, pid)
	}
	l := &load{}
	l.one(t, client(t, second.Addr()))
	if l.answered.Load() != 1 {
		t.Error("the new proxy does not serve the routes of the one that hung")
	}
}

func TestStop_EndsAProxyThatHangs(t *testing.T) {
	t.Parallel()
	c := config(t, t.TempDir())
	d := open(t, c)
	pid := pidOf(t, d)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	stop(t, pid)
	if err := proxy.Stop(t.Context(), c.Dir); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is gone", func() bool { return gone(pid) })
}

func TestProxy_IsAdoptedByTheNextAgent(t *testing.T) {
	c := config(t, t.TempDir())
	first := open(t, c)
	old := copyServer(t, "shop.production.1.0", nil)
	apply(t, first, shopRoute(1, old))
	address, pid := first.Addr(), pidOf(t, first)
	l := startLoad(t, client(t, address))
	eventually(t, "load runs", func() bool { return l.answered.Load() > 100 })
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := open(t, c)
	if second.Addr() != address || pidOf(t, second) != pid {
		t.Errorf("adopted at %s as %d, was %s and %d", second.Addr(), pidOf(t, second), address, pid)
	}
	next := shopRoute(2, copyServer(t, "shop.production.2.0", nil))
	next.Draining = []traffic.Target{old}
	apply(t, second, next)
	eventually(t, "load reaches the new copy", func() bool {
		ledgers := shopState(t, second).Ledgers
		return len(ledgers) == 2 && ledgers[1].Served > 100
	})
	l.end()
	if l.broken.Load()+l.refused.Load() > 0 {
		t.Errorf("%d requests broke, %d were refused", l.broken.Load(), l.refused.Load())
	}
	// The adopting agent keeps it alive as well.
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another process serves", func() bool { return pidOf(t, second) != pid })
	if got := shopState(t, second); got.Generation != 2 {
		t.Errorf("after the kill %+v", got)
	}
}

func TestProxy_ReplacementLosesNothing(t *testing.T) {
	d := open(t, config(t, t.TempDir()))
	apply(t, d, shopRoute(1, copyServer(t, "shop.production.1.0", nil)))
	address := shopState(t, d).Address
	l := startLoad(t, client(t, d.Addr()))
	own := startLoad(t, client(t, address)) // by the route's own listener
	for range 3 {
		before, pid := l.answered.Load(), pidOf(t, d)
		eventually(t, "load runs", func() bool { return l.answered.Load() > before+100 })
		if err := d.Replace(t.Context()); err != nil {
			t.Fatal(err)
		}
		if now := pidOf(t, d); now == pid {
			t.Errorf("process %d serves still", now)
		}
		finished(t, pid)
	}
	l.end()
	own.end()
	if bad := l.broken.Load() + l.refused.Load() + own.broken.Load() + own.refused.Load(); bad > 0 {
		t.Errorf("%d requests were lost", bad)
	}
	sent := l.sent.Load() + own.sent.Load()
	eventually(t, "all are counted as served", func() bool { return shopState(t, d).Ledgers[0].Served == sent })
	if got := shopState(t, d); got.Ledgers[0].Requests() != sent || got.Address != address {
		t.Errorf("%+v, want %d requests, all served, and address %s", got, sent, address)
	}
}

func TestProxy_OfAnotherBuildIsReplaced(t *testing.T) {
	c := config(t, t.TempDir())
	first := open(t, c)
	apply(t, first, shopRoute(1, copyServer(t, "shop.production.1.0", nil)))
	address, pid := first.Addr(), pidOf(t, first)
	first.Close()
	// The same program under another name and time is another build.
	program, err := os.ReadFile(c.Command[0])
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, program, 0o755); err != nil {
		t.Fatal(err)
	}
	c.Command = []string{other, "proxy", c.Dir}
	second := open(t, c)
	if pidOf(t, second) == pid || second.Addr() != address {
		t.Errorf("process %d at %s, was %d at %s", pidOf(t, second), second.Addr(), pid, address)
	}
	if got := shopState(t, second); got.Generation != 1 {
		t.Errorf("routes after the upgrade %+v", got)
	}
}

func TestProxy_EndsWithShutdown(t *testing.T) {
	// A directory deeper than the path of a socket may be long, too.
	dir := filepath.Join(t.TempDir(), strings.Repeat("deep/", 30), "proxy")
	c := config(t, dir)
	d := open(t, c)
	address, pid := d.Addr(), pidOf(t, d)
	if err := d.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the process ends", func() bool { return gone(pid) })
	again := open(t, c)
	if !traffictest.SameAddress(t, address, again.Addr()) {
		t.Errorf("listens on %s after a restart, was %s", again.Addr(), address)
	}
}

func TestProxy_StartsAnewWithCorruptFiles(t *testing.T) {
	c := config(t, t.TempDir())
	d := open(t, c)
	apply(t, d, shopRoute(1, copyServer(t, "shop.production.1.0", nil)))
	if err := d.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"counters.map", "routes.log"} {
		if err := os.WriteFile(filepath.Join(c.Dir, name), []byte("this is not it"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again := open(t, c)
	if s, err := again.State(t.Context()); err != nil || len(s.Routes) != 0 {
		t.Errorf("state %+v %v", s, err)
	}
	apply(t, again, shopRoute(2, copyServer(t, "shop.production.2.0", nil)))
	if text, err := os.ReadFile(filepath.Join(c.Dir, "proxy.log")); err != nil || !strings.Contains(string(text), "counting starts anew") {
		t.Errorf("the log does not say that the ledgers are lost: %s %v", text, err)
	}
}

func TestProxy_SwitchesOneRouteOfAThousandAtOnce(t *testing.T) {
	d := open(t, config(t, t.TempDir()))
	var routes []traffic.Route
	for i := range 1000 {
		p := andon.Place{Service: andon.ServiceName("s" + strconv.Itoa(i)), Environment: "production"}
		routes = append(routes, traffic.Route{Place: p, Generation: 1, Hosts: []string{string(p.Service) + ".localhost"},
			Targets: []traffic.Target{{Instance: "a", Address: "127.0.0.1:1", Weight: 1}}, Ledger: andon.NewDeploymentID(p, 1)})
	}
	apply(t, d, routes...)
	const most = 10 * time.Millisecond // ten times the goal: a shared machine, and the race detector
	fastest, switches := time.Hour, 0
	for switches < 50 || fastest > most && switches < len(routes) { // a busy machine needs more for one undisturbed
		routes[switches].Generation++
		began := time.Now()
		apply(t, d, routes...)
		fastest = min(fastest, time.Since(began))
		switches++
	}
	t.Logf("the fastest of %d switches took %v", switches, fastest)
	if fastest > most {
		t.Errorf("the fastest of %d switches took %v", switches, fastest)
	}
}
