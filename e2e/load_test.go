package e2e

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/e2e/planttest"
)

const (
	customers  = 6
	pace       = 10 * time.Millisecond // between two requests of one customer
	requestMax = planttest.Patience
)

// A question is one request of a customer: the nth.
type question func(n int) (method, path string, body io.Reader)

// shopping is what customers of the shop do: most of it is quick, some takes a while, and some is
// such that neither client nor proxy may repeat it.
func shopping(n int) (method, path string, body io.Reader) {
	switch {
	case n%10 == 0:
		return http.MethodGet, "/slow?ms=60", nil
	case n%4 == 0:
		return ordering(n)
	default:
		return http.MethodGet, "/", nil
	}
}

// ordering is a request that is sent once, whatever becomes of it.
func ordering(int) (method, path string, body io.Reader) {
	// A bare Reader: one that can be rewound the client would send again by itself.
	return http.MethodPost, "/order", struct{ io.Reader }{strings.NewReader("one of these, please")}
}

// reading is a request that every service understands.
func reading(int) (method, path string, body io.Reader) { return http.MethodGet, "/", nil }

// A load is customers who use a service through the proxy all the time and count what they get.
// They keep their connections.
type load struct {
	t             *testing.T
	address, host string
	ask           question
	client        *http.Client
	quit          chan struct{}
	crowd         sync.WaitGroup
	door          sync.RWMutex // held for reading by each request, for writing to have silence

	mu       sync.Mutex
	sent     int64
	codes    map[int]int64 // by status; 0: no answer
	failures []string      // the first ones
}

// newLoad sends requests to a host of the plant's proxy until stop, or the end of the test.
func (p *plant) newLoad(host string, ask question) *load {
	l := &load{
		t: p.T, address: p.Proxy, host: host, ask: ask, quit: make(chan struct{}), codes: map[int]int64{},
		client: &http.Client{Timeout: requestMax, Transport: &http.Transport{MaxIdleConnsPerHost: customers, DialContext: p.At.Dial}},
	}
	for i := range customers {
		l.crowd.Go(func() { l.customer(i) })
	}
	p.T.Cleanup(l.stop)
	return l
}

// customer sends one request after the other.
func (l *load) customer(number int) {
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for n := number; ; n++ {
		l.door.RLock()
		l.request(l.ask(n))
		l.door.RUnlock()
		select {
		case <-l.quit:
			return
		case <-ticker.C:
		}
	}
}

func (l *load) request(method, path string, body io.Reader) {
	code, err := l.try(method, path, body)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	l.codes[code]++
	if err != nil && len(l.failures) < 20 {
		l.failures = append(l.failures, fmt.Sprintf("%s %s %s: %v", time.Now().Format("15:04:05.000"), method, path, err))
	}
}

// try sends one request. It is never given up, so that each is answered or fails.
func (l *load) try(method, path string, body io.Reader) (int, error) {
	req, err := http.NewRequest(method, "http://"+l.address+path, body)
	if err != nil {
		return 0, err
	}
	req.Host = l.host
	resp, err := l.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, fmt.Errorf("%s: %s", resp.Status, text)
	}
	return resp.StatusCode, nil
}

// stop ends the load. It may be called again.
func (l *load) stop() {
	l.mu.Lock()
	select {
	case <-l.quit:
	default:
		close(l.quit)
	}
	l.mu.Unlock()
	l.crowd.Wait()
	l.client.CloseIdleConnections()
}

// count returns how many requests were made, and how many of them failed.
func (l *load) count() (sent, failed int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent, l.sent - l.codes[http.StatusOK]
}

// intact fails the test when a request failed.
func (l *load) intact() {
	l.t.Helper()
	if _, failed := l.count(); failed > 0 {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.t.Fatalf("%d of %d requests failed (by status: %v); the first ones:\n%s",
			failed, l.sent, maps.Clone(l.codes), strings.Join(l.failures, "\n"))
	}
}

// lostOnly fails the test unless those requests that failed are at most so many, and each of them
// says all of the given words: what was asked, and how it ended.
func (l *load) lostOnly(most int64, words ...string) {
	l.t.Helper()
	sent, failed := l.count()
	l.t.Logf("%d of %d requests failed: %q", failed, sent, l.failures)
	if failed > most {
		l.t.Errorf("%d requests failed; at most %d may", failed, most)
	}
	for _, failure := range l.failures {
		for _, word := range words {
			if !strings.Contains(failure, word) {
				l.t.Errorf("this request must not fail, or not so: %s", failure)
			}
		}
	}
}

// balances waits, in silence, until the ledgers of the place say what the customers say: as many
// requests in all, and as many that were not served. Both count from the same moment on.
func (l *load) balances(p *plant, service, environment string) {
	l.t.Helper()
	l.door.Lock()
	defer l.door.Unlock()
	sent, failed := l.count()
	until(l.t, "customers and ledgers agree", func() error {
		sum, err := p.ledgers(service, environment)
		if err != nil {
			return err
		}
		if bad := sum.Failed + sum.Unknown + sum.ClientGone; sum.Requests != sent || bad != failed {
			return fmt.Errorf("the customers made %d requests, %d of them in vain; the ledgers say %+v", sent, failed, sum)
		}
		return nil
	})
}

// ledgers adds up what the proxy counted for every deployment of a place.
func (p *plant) ledgers(service, environment string) (sum api.Ledger, err error) {
	filter := api.DeploymentFilter{Service: service, Environment: environment, Page: api.Page{Limit: 1000}}
	all, err := p.Client.Deployments(p.T.Context(), filter)
	if err != nil {
		return sum, err
	}
	if len(all) == 1000 {
		return sum, errors.New("there are more deployments than one page holds")
	}
	for _, d := range all {
		if d.Ledger == nil {
			continue
		}
		sum.Requests += d.Ledger.Requests
		sum.Served += d.Ledger.Served
		sum.Retried += d.Ledger.Retried
		sum.Failed += d.Ledger.Failed
		sum.ClientGone += d.Ledger.ClientGone
		sum.Unknown += d.Ledger.Unknown
		sum.AtSwitch += d.Ledger.AtSwitch
		sum.Drained += d.Ledger.Drained
		sum.CutOff += d.Ledger.CutOff
		sum.Upgraded += d.Ledger.Upgraded
		sum.LongestDrainMS = max(sum.LongestDrainMS, d.Ledger.LongestDrainMS)
	}
	return sum, nil
}

// add counts requests that the test itself made beside the customers.
func (l *load) add(answered, all int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent += all
	l.codes[http.StatusOK] += answered
	l.codes[0] += all - answered
}

// get asks a service once, on a connection of its own, and returns what it answers with 200.
func get(t testing.TB, address, host, path string) (string, error) {
	t.Helper()
	return getFrom(t, station{}, address, host, path)
}

// getFrom is get from another place.
func getFrom(t testing.TB, from planttest.Place, address, host, path string) (string, error) {
	t.Helper()
	client := &http.Client{Timeout: requestMax, Transport: &http.Transport{DisableKeepAlives: true, DialContext: from.Dial}}
	req, err := http.NewRequest(http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, text)
	}
	return string(text), err
}

// answers fails the test unless a service answers with that text now.
func (p *plant) answers(host, want string) {
	p.T.Helper()
	if got, err := getFrom(p.T, p.At, p.Proxy, host, "/"); err != nil || got != want {
		p.T.Fatalf("%s answers %q, %v; want %q", host, got, err, want)
	}
}
