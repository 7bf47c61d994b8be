package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/andon-cd/andon/internal/agent"
	"github.com/andon-cd/andon/internal/ca"
)

const (
	// askAgain is how long an agent whose certificate could not be renewed waits to try again. It
	// begins when a third of its life is left: ten days.
	askAgain = 10 * time.Minute
	// handshakeTimeout bounds how long plant and host may take to prove to each other who they are.
	handshakeTimeout = 10 * time.Second
)

// Join makes this host a member of a plant: with a token that a person got from it, it has its own
// key certified. The identity is kept in the directory. A host that joined with this very token
// before is a member already.
func Join(ctx context.Context, d Directory, token ca.Token) (*ca.Identity, error) {
	id, err := ca.LoadIdentity(d.Identity())
	if err == nil && id != nil && id.JoinedWith(token) {
		return id, nil
	}
	if err := os.MkdirAll(d.Identity(), 0o700); err != nil {
		return nil, d.unusable(err)
	}
	request, err := ca.Request(d.Identity())
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		TLSClientConfig: ca.PinConfig(token), TLSHandshakeTimeout: handshakeTimeout,
		Proxy: http.ProxyFromEnvironment, DialContext: agent.Dialer().DialContext,
	}
	defer transport.CloseIdleConnections()
	plant, err := agent.Dial(token.Server, "", transport)
	if err != nil {
		return nil, err
	}
	signed, err := plant.Join(ctx, token.Agent, token.Secret, request)
	if err != nil {
		return nil, err
	}
	return ca.Joined(d.Identity(), token, signed.Certificate, signed.Roots)
}

// transportOf returns how a member of a plant speaks to it.
func transportOf(id *ca.Identity) *http.Transport {
	return &http.Transport{
		TLSClientConfig: id.ClientConfig(), TLSHandshakeTimeout: handshakeTimeout,
		Proxy: http.ProxyFromEnvironment, DialContext: agent.Dialer().DialContext,
		MaxIdleConnsPerHost: 16, IdleConnTimeout: 90 * time.Second, WriteBufferSize: 64 << 10,
	}
}

// renew has the certificate of a member renewed in time, until ctx ends.
func renew(ctx context.Context, id *ca.Identity, plant *agent.Client, log *slog.Logger) {
	for {
		_, when := id.Until()
		if !sleepUntil(ctx, when) {
			return
		}
		if err := renewOnce(ctx, id, plant); err != nil {
			ends, _ := id.Until()
			log.Warn("the certificate of this agent could not be renewed; it is tried again", "ends", ends, "error", err)
		}
		// Also after a success: to a clock that is wrong, the next certificate may be due at once.
		if !sleepUntil(ctx, time.Now().Add(askAgain)) {
			return
		}
	}
}

func renewOnce(ctx context.Context, id *ca.Identity, plant *agent.Client) error {
	request, err := id.Renewal()
	if err != nil {
		return err
	}
	signed, err := plant.Renew(ctx, request)
	if err != nil {
		return err
	}
	if err := id.Renewed(signed.Certificate, signed.Roots); err != nil {
		return fmt.Errorf("taking over the renewed certificate: %w", err)
	}
	return nil
}

// longestSleep is how long nobody looks at the clock: timers stand still while a machine sleeps.
const longestSleep = time.Hour

// sleepUntil returns false when ctx ends first.
func sleepUntil(ctx context.Context, when time.Time) bool {
	for {
		left := time.Until(when)
		timer := time.NewTimer(min(left, longestSleep))
		select {
		case <-timer.C:
			if left <= longestSleep {
				return true
			}
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
}
