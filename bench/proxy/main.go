// Command proxy compares what one request costs in Andon's proxy, in Go's plain ReverseProxy and
// in HAProxy, if that is installed. Each runs as a process of its own, one after the other,
// between the same load generator and the same backend, all on the loopback interface.
//
//	go run ./bench/proxy [-requests 100000] [-clients 32] [-size 1024] [-rounds 3]
//	go run ./bench/proxy -requests 1000000 -switches 200
//
// The floor is the load on the backend itself, with no proxy between.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/andon-cd/andon/internal/traffic/proxy"
)

func main() {
	if len(os.Args) == 3 {
		roles := map[string]func(string) error{
			"as-backend":      serveBackend,
			"as-reverseproxy": serveReverseProxy,
			"as-andon":        func(dir string) error { return proxy.Main(context.Background(), dir) },
		}
		if role := roles[os.Args[1]]; role != nil {
			exit(role(os.Args[2]))
		}
	}
	requests := flag.Int("requests", 100_000, "requests in each round")
	clients := flag.Int("clients", 32, "connections, each with one request at a time")
	size := flag.Int("size", 1024, "bytes of an answer")
	rounds := flag.Int("rounds", 3, "rounds; the median counts")
	switches := flag.Int("switches", 0, "instead: move one route of 1,000 so many times under the load")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l := load{requests: *requests, clients: *clients, size: *size}
	if *switches > 0 {
		exit(switching(ctx, l, *switches))
	}
	exit(compare(ctx, l, *rounds))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// A result is what a round took.
type result struct {
	perSecond float64
	cpu       time.Duration // of the proxy, per request
	resident  int64         // bytes, of the proxy, before the load
}

func compare(ctx context.Context, l load, rounds int) error {
	backend, err := start("as-backend", fmt.Sprint(l.size))
	if err != nil {
		return err
	}
	defer backend.stop()
	subjects := []struct {
		name  string
		begin func(ctx context.Context, backend string) (*process, error)
	}{
		{"no proxy (floor)", func(context.Context, string) (*process, error) { return backend, nil }},
		{"ReverseProxy", func(_ context.Context, to string) (*process, error) { return start("as-reverseproxy", to) }},
		{"andon proxy", startAndon},
		{"HAProxy, by Andon", startOwnHAProxy},
		{"HAProxy, plain", startHAProxy},
	}
	fmt.Printf("%d requests by %d clients, answers of %d bytes, median of %d rounds\n\n", l.requests, l.clients, l.size, rounds)
	fmt.Printf("%-18s %12s %16s %16s %12s\n", "", "requests/s", "CPU µs/request", "of ReverseProxy", "idle RSS MB")
	var plain time.Duration
	for _, s := range subjects {
		p, err := s.begin(ctx, backend.address)
		if errors.Is(err, errNotInstalled) {
			fmt.Printf("%-18s %12s\n", s.name, "not installed")
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		r, err := measure(ctx, l, p, rounds)
		if p != backend {
			p.stop()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if s.name == "ReverseProxy" {
			plain = r.cpu
		}
		ratio := "–"
		if plain > 0 {
			ratio = fmt.Sprintf("%.2f", float64(r.cpu)/float64(plain))
		}
		fmt.Printf("%-18s %12.0f %16.1f %16s %12.1f\n", s.name, r.perSecond, float64(r.cpu.Nanoseconds())/1000, ratio, float64(r.resident)/1e6)
	}
	return nil
}

func measure(ctx context.Context, l load, p *process, rounds int) (result, error) {
	resident, err := residentSize(p.pid)
	if err != nil {
		return result{}, err
	}
	warm := l
	warm.requests /= 10
	if _, err := warm.run(ctx, p.address); err != nil {
		return result{}, err
	}
	var results []result
	for range rounds {
		before, err := cpuTime(p.pid)
		if err != nil {
			return result{}, err
		}
		took, err := l.run(ctx, p.address)
		if err != nil {
			return result{}, err
		}
		after, err := cpuTime(p.pid)
		if err != nil {
			return result{}, err
		}
		results = append(results, result{
			perSecond: float64(l.requests) / took.Seconds(),
			cpu:       (after - before) / time.Duration(l.requests),
			resident:  resident,
		})
	}
	slices.SortFunc(results, func(a, b result) int { return int(a.cpu - b.cpu) })
	return results[len(results)/2], nil
}
