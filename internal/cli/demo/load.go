package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	customers  = 4                     // that send requests at the same time
	pace       = 10 * time.Millisecond // between two requests of one customer
	requestMax = 10 * time.Second
)

// A load is customers who use the shop in production all the time, and count what they get.
type load struct {
	address, host string
	client        http.Client
	customers     sync.WaitGroup
	// going is read-held by each request: whoever holds it for writing has silence.
	going sync.RWMutex

	sent, failed atomic.Int64

	mu      sync.Mutex
	answers map[int64]int64 // by version
	first   error           // the first failure
}

func newLoad(address, host string) *load {
	transport := &http.Transport{MaxIdleConnsPerHost: customers, IdleConnTimeout: time.Minute}
	return &load{
		address: address, host: host, answers: map[int64]int64{},
		client: http.Client{Transport: transport, Timeout: requestMax},
	}
}

// start lets the customers in. They stay until ctx ends; wait returns when they are gone.
func (l *load) start(ctx context.Context) {
	for range customers {
		l.customers.Go(func() { l.shop(ctx) })
	}
}

func (l *load) wait() { l.customers.Wait() }

// shop is one customer: mostly the page, now and then the prices, and something slow, so that
// requests are in flight whenever traffic moves.
func (l *load) shop(ctx context.Context) {
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for n := 1; ; n++ {
		path := "/"
		switch {
		case n%20 == 0:
			path = "/slow"
		case n%5 == 0:
			path = "/prices"
		}
		l.going.RLock()
		if ctx.Err() == nil {
			l.request(path)
		}
		l.going.RUnlock()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// request sends one request and counts it. It is never given up, so that every one is either
// answered or failed.
func (l *load) request(path string) {
	version, err := l.get(context.Background(), path)
	l.sent.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.failed.Add(1)
		if l.first == nil {
			l.first = err
		}
		return
	}
	l.answers[version]++
}

// get returns the version that answers.
func (l *load) get(ctx context.Context, path string) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+l.address+path, nil)
	if err != nil {
		return 0, err
	}
	req.Host = l.host
	resp, err := l.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0, fmt.Errorf("GET %s: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("GET %s: %s", path, resp.Status)
	}
	version, err := strconv.ParseInt(resp.Header.Get("Shop-Version"), 10, 64)
	if err != nil {
		return 0, errors.New("GET " + path + ": the answer is not the shop's")
	}
	return version, nil
}

// silence waits until every request is answered, and lets none begin until end is called.
func (l *load) silence() (end func()) {
	l.going.Lock()
	return l.going.Unlock
}

// by returns how many answers a version gave.
func (l *load) by(version int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answers[version]
}

// failure returns the first request that failed.
func (l *load) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first
}
