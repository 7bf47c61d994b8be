package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
)

// A Probe asks a copy at host:port whether it is well: with a path, by a GET that must answer
// 2xx or 3xx; without one, by a connection. Its error is one clause for people.
type Probe func(ctx context.Context, address, path string) error

// probedBytes bounds what a probe reads of an answer.
const probedBytes = 64 << 10

// probeOverNetwork returns the Probe that really asks. Each probe has a connection of its own:
// it must find a copy that accepts none any more.
func probeOverNetwork() Probe {
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, Proxy: nil},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(ctx context.Context, address, path string) error {
		if path == "" {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
			if err != nil {
				return errors.New(troubleWith(err))
			}
			return conn.Close()
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
		if err != nil {
			return fmt.Errorf("%q cannot be asked for", path)
		}
		req.Header.Set("User-Agent", "andon-health")
		resp, err := client.Do(req)
		if err != nil {
			return fmt.Errorf("GET %s: %s", path, troubleWith(err))
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, probedBytes)); err != nil {
			return fmt.Errorf("GET %s: %s", path, troubleWith(err))
		}
		if resp.StatusCode >= 400 {
			return fmt.Errorf("GET %s answers with status %d", path, resp.StatusCode)
		}
		return nil
	}
}

// troubleWith says in a few words, which do not change from one try to the next, why there
// was no answer.
func troubleWith(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused: nothing listens on $PORT"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was cut off"
	default:
		return "no answer that can be understood"
	}
}
