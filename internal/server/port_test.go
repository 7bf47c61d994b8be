package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/andon-cd/andon/internal/ca"
)

// newTestPort serves both kinds of connections, and answers how it was asked.
func newTestPort(t *testing.T) (address string, clear, secure *http.Client, stop func()) {
	t.Helper()
	authority, err := ca.Open(t.TempDir(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := newPort(listener, authority.ServerConfig([]string{"127.0.0.1"}))
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s by TLS: %v", r.Proto, r.TLS != nil)
	})}
	ctx, cancel := context.WithCancel(t.Context())
	sorted, served := make(chan struct{}), make(chan error, 1)
	go func() { p.run(ctx); close(sorted) }()
	go func() { served <- server.Serve(p) }()
	stop = func() {
		cancel()
		if err := server.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		<-sorted
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("served: %v", err)
		}
	}
	token := authority.NewToken("web1", "https://"+listener.Addr().String())
	clear = &http.Client{Transport: &http.Transport{}}
	secure = &http.Client{Transport: &http.Transport{TLSClientConfig: ca.PinConfig(token)}}
	return listener.Addr().String(), clear, secure, stop
}

func ask(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	client.CloseIdleConnections()
	return string(body)
}

func TestPort_TakesConnectionsInTheClearAndByTLS(t *testing.T) {
	t.Parallel()
	address, clear, secure, stop := newTestPort(t)
	defer stop()
	if got := ask(t, clear, "http://"+address); got != "HTTP/1.1 by TLS: false" {
		t.Errorf("in the clear: %s", got)
	}
	if got := ask(t, secure, "https://"+address); got != "HTTP/1.1 by TLS: true" {
		t.Errorf("by TLS: %s", got)
	}
}

func TestPort_LetsNobodyWaitForThoseWhoSayNothing(t *testing.T) {
	t.Parallel()
	address, clear, _, stop := newTestPort(t)
	var silent []net.Conn
	for range 100 {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		silent = append(silent, conn)
	}
	if got := ask(t, clear, "http://"+address); got == "" {
		t.Error("nobody answers")
	}
	// When the port closes they are told, and nothing of them is left.
	stop()
	for i, conn := range silent {
		if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
			t.Fatalf("connection %d is still open", i)
		}
		_ = conn.Close()
	}
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

func TestPort_ReadsOnWhereItsFirstByteWas(t *testing.T) {
	t.Parallel()
	address, _, _, stop := newTestPort(t)
	defer stop()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", address, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // whose it is does not matter here
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// A request that comes byte by byte, two of them in one connection.
	for range 2 {
		for _, b := range []byte("GET / HTTP/1.1\r\nHost: here\r\n\r\n") {
			if _, err := conn.Write([]byte{b}); err != nil {
				t.Fatal(err)
			}
		}
	}
	answers := bufio.NewReader(conn)
	for range 2 {
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "HTTP/1.1 by TLS: true" {
			t.Errorf("%s, %v", body, err)
		}
		answer.Body.Close()
	}
}

// A fullListener has no files left for connections.
type fullListener struct {
	net.Listener
	most int // times that it is asked before it is closed
}

func (l *fullListener) Accept() (net.Conn, error) {
	if l.most--; l.most < 0 {
		return nil, net.ErrClosed
	}
	return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
}

func TestPort_WaitsWhileThereAreNoFilesForConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPort(&fullListener{most: 100}, nil)
		began := time.Now()
		p.run(t.Context())
		if took := time.Since(began); took < time.Minute {
			t.Errorf("it asked 100 times in %s", took)
		}
	})
}
