package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
	"github.com/andon-cd/andon/internal/traffic/haproxy"
	"github.com/andon-cd/andon/internal/traffic/proxy"
)

// measuredSwitches are fewer than the backends that HAProxy has to spare.
const measuredSwitches = 25

// switches measures how long it takes to send the requests of one route to another copy, among few
// and many routes: from the call of the driver until every new request goes there. There is no
// load; bench/proxy -switches measures it under load, with the requests that fail. HAProxy has 128
// backends, so there are never a thousand routes.
func switches(ctx context.Context, b *bench) ([]row, error) {
	floor, err := roundTrip(b.dir)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(b.dir, "switch")
	built, err := proxy.Open(ctx, proxy.Config{Dir: dir, Listen: []string{"127.0.0.1:0"}, Command: []string{b.andon, "proxy", "--dir", dir}})
	if err != nil {
		return nil, err
	}
	rows, err := switchAmong(ctx, []int{1, 100, 1000}, "built-in proxy", built, fmt.Sprintf("%.3f ms", float64(floor.Nanoseconds())/1e6)+" (an answer over a Unix socket)", "≤ 1 ms of 1,000")
	if err = errors.Join(err, built.Shutdown(ctx)); err != nil {
		return nil, err
	}
	if _, err := exec.LookPath("haproxy"); err != nil {
		return append(rows, row{"switch one route, HAProxy", "not installed", "", ""}), nil //nolint:nilerr // the row says so
	}
	dir = filepath.Join(b.dir, "haproxy")
	other, err := haproxy.Open(ctx, haproxy.Config{Dir: dir, Listen: []string{"127.0.0.1:0"}})
	if err != nil {
		return nil, err
	}
	floor, err = commandTime(filepath.Join(dir, "admin.sock"))
	if err == nil {
		var more []row
		more, err = switchAmong(ctx, []int{1, 100}, "HAProxy", other, ms(floor)+" (one command to HAProxy)", "")
		rows = append(rows, more...)
	}
	return rows, errors.Join(err, other.Shutdown(ctx))
}

func switchAmong(ctx context.Context, counts []int, name string, d traffic.Traffic, floor, goal string) (rows []row, err error) {
	for _, n := range counts {
		took, err := switchOneOf(ctx, d, n)
		if err != nil {
			return nil, fmt.Errorf("%s, %d routes: %w", name, n, err)
		}
		rows = append(rows, row{fmt.Sprintf("switch one route of %d, %s, p50", n, name), ms(took), floor, goal})
	}
	return rows, nil
}

// switchOneOf returns the median time of a switch among n routes.
func switchOneOf(ctx context.Context, d traffic.Traffic, n int) (time.Duration, error) {
	routes := make([]traffic.Route, n)
	for i := range routes {
		p := andon.Place{Service: andon.ServiceName(fmt.Sprintf("s%d", i)), Environment: "production"}
		routes[i] = traffic.Route{
			Place: p, Generation: 1, Hosts: []string{string(p.Service) + ".localhost"}, Ledger: andon.NewDeploymentID(p, 1),
			Targets: []traffic.Target{{Instance: "s.production.1.0", Address: "127.0.0.1:1", Weight: 1}},
		}
	}
	if err := d.Apply(ctx, routes); err != nil {
		return 0, err
	}
	var took []time.Duration
	for i := range measuredSwitches {
		routes = slices.Clone(routes)
		routes[0].Generation++
		routes[0].Targets = []traffic.Target{{Instance: andon.InstanceID(fmt.Sprintf("s.production.1.%d", i%2)), Address: fmt.Sprintf("127.0.0.1:%d", 1+i%2), Weight: 1}}
		began := time.Now()
		if err := d.Apply(ctx, routes); err != nil {
			return 0, err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}

// roundTrip returns how long an answer over a Unix socket takes, between two goroutines.
func roundTrip(dir string) (time.Duration, error) {
	l, err := net.Listen("unix", filepath.Join(dir, "echo.sock"))
	if err != nil {
		return 0, err
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.Copy(conn, conn)
	}()
	conn, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	return timed(func() error {
		if _, err := io.WriteString(conn, "are you there?\n"); err != nil {
			return err
		}
		_, err := in.ReadString('\n')
		return err
	})
}

// commandTime returns how long HAProxy takes to change the weight of one server, on a connection of
// its own, as its operators do it.
func commandTime(socket string) (time.Duration, error) {
	return timed(func() error {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "set server b128/s1 weight 1\n"); err != nil {
			return err
		}
		answer, err := io.ReadAll(conn)
		if text := strings.TrimSpace(string(answer)); err == nil && text != "" {
			err = errors.New(text)
		}
		return err
	})
}
