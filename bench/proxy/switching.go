package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
	"github.com/andon-cd/andon/internal/traffic/proxy"
)

// switching moves one route of a thousand to and fro under load, and compares the clients'
// count with the ledgers'. A request that is not answered with 200 ends it with an error.
func switching(ctx context.Context, l load, switches int) error {
	dir, err := os.MkdirTemp("", "andon-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program, err := os.Executable()
	if err != nil {
		return err
	}
	d, err := proxy.Open(ctx, proxy.Config{Dir: dir, Listen: []string{"127.0.0.1:0"}, Command: []string{program, "as-andon", dir}})
	if err != nil {
		return err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = d.Shutdown(end) // what it measured is told
	}()
	var targets [2]traffic.Target
	for i := range targets {
		p, err := start("as-backend", strconv.Itoa(l.size))
		if err != nil {
			return err
		}
		defer p.stop()
		targets[i] = traffic.Target{Instance: andon.InstanceID(fmt.Sprintf("shop.production.1.%d", i)), Address: p.address, Weight: 1}
	}
	routes := thousandRoutes(targets[0])
	if err := d.Apply(ctx, routes); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() {
		_, err := l.run(ctx, d.Addr())
		ended <- err
	}()
	took, err := switchUnderLoad(ctx, d, routes, targets, switches)
	if err != nil {
		return err
	}
	if err := <-ended; err != nil {
		return fmt.Errorf("a request failed: %w", err)
	}
	counted, err := ledgerOf(ctx, d)
	if err != nil {
		return err
	}
	slices.Sort(took)
	fmt.Printf("%d requests over %d switches of one route of 1,000: %d counted as served, %d as anything else\n",
		l.requests, switches, counted.Served, counted.Requests()-counted.Served)
	fmt.Printf("a switch under that load takes %v (median), %v (fastest)\n", took[len(took)/2], took[0])
	return nil
}

func thousandRoutes(target traffic.Target) []traffic.Route {
	var routes []traffic.Route
	for i := range 1000 {
		p := andon.Place{Service: andon.ServiceName(fmt.Sprintf("s%d", i)), Environment: "production"}
		name := string(p.Service) + ".localhost"
		if i == 0 {
			p.Service, name = "shop", host
		}
		routes = append(routes, traffic.Route{Place: p, Generation: 1, Hosts: []string{name}, Targets: []traffic.Target{target}, Ledger: andon.NewDeploymentID(p, 1)})
	}
	return routes
}

// switchUnderLoad spreads the switches over the time that the load may take.
func switchUnderLoad(ctx context.Context, d *proxy.Driver, routes []traffic.Route, targets [2]traffic.Target, switches int) ([]time.Duration, error) {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	var took []time.Duration
	for n := range switches {
		routes[0].Generation++
		routes[0].Targets, routes[0].Draining = []traffic.Target{targets[(n+1)%2]}, []traffic.Target{targets[n%2]}
		began := time.Now()
		if err := d.Apply(ctx, routes); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-ticker.C:
		}
	}
	return took, nil
}

func ledgerOf(ctx context.Context, d *proxy.Driver) (andon.Ledger, error) {
	state, err := d.State(ctx)
	if err != nil {
		return andon.Ledger{}, err
	}
	for _, r := range state.Routes {
		if r.Service == "shop" && len(r.Ledgers) == 1 {
			return r.Ledgers[0], nil
		}
	}
	return andon.Ledger{}, fmt.Errorf("no ledger")
}
