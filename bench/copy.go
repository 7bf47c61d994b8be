package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"
)

// asCopy is the argument by which this program is the smallest service.
const asCopy = "as-copy"

// serveCopy answers at $HOST:$PORT that all is well.
func serveCopy() error {
	return http.ListenAndServe(net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT")), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	}))
}

// startCopies starts n copies at once without Andon, and returns how long it takes until all of
// them answer: the floor of a deployment.
func startCopies(ctx context.Context, n int) (time.Duration, error) {
	program, err := os.Executable()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	healthy := make(chan error, n)
	for i := range n {
		address, err := freeAddress(fmt.Sprintf("127.0.2.%d", i+1))
		if err != nil {
			return 0, err
		}
		host, port, _ := net.SplitHostPort(address)
		cmd := exec.CommandContext(ctx, program, asCopy)
		cmd.Env = []string{"HOST=" + host, "PORT=" + port}
		if err := cmd.Start(); err != nil {
			return 0, err
		}
		defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
		go func() { healthy <- untilHealthy(ctx, address) }()
	}
	for range n {
		if err := <-healthy; err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}

// untilHealthy asks a copy each millisecond whether all is well.
func untilHealthy(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/healthz", nil)
		if err != nil {
			return err
		}
		if answer, err := http.DefaultClient.Do(request); err == nil {
			return answer.Body.Close()
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// freeAddress returns an address on which nothing listens.
func freeAddress(host string) (string, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
