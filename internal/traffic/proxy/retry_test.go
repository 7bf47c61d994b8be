package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/andon-cd/andon/internal/traffic"
)

// badCopy takes requests, writes the given bytes instead of an answer, and ends the connection.
func badCopy(t *testing.T, writes string) (address string, seen *atomic.Int64) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	seen = new(atomic.Int64)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r, err := http.ReadRequest(bufio.NewReader(conn))
			if err == nil {
				seen.Add(1)
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = io.WriteString(conn, writes)
			}
			conn.Close()
		}
	}()
	return l.Addr().String(), seen
}

func TestProxy_SendsAgainOnlyWhatIsSafe(t *testing.T) {
	const (
		small = "Content-Length: 3\r\n\r\nabc"
		large = "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" // streamed: it is consumed
	)
	refused, nothing, half := "", "nothing", "HTTP/1.1 200 O"
	for _, test := range []struct {
		copy, method, body string
		status             int
		retried            int64
	}{
		{refused, "GET", "", 200, 1}, {refused, "POST", small, 200, 1}, {refused, "POST", large, 200, 1}, {refused, "PATCH", small, 200, 1},
		{nothing, "GET", "", 200, 1}, {nothing, "HEAD", "", 200, 1}, {nothing, "OPTIONS", "", 200, 1}, {nothing, "DELETE", "", 200, 1}, {nothing, "PUT", small, 200, 1},
		{nothing, "POST", "", 502, 0}, {nothing, "POST", small, 502, 0}, {nothing, "PATCH", small, 502, 0}, {nothing, "PUT", large, 502, 0}, {nothing, "GET", large, 502, 0}, {nothing, "LOCK", "", 502, 0},
		{half, "GET", "", 502, 0}, {half, "PUT", small, 502, 0}, {half, "POST", "", 502, 0},
	} {
		t.Run(fmt.Sprintf("%.7s %s %.5s", test.copy, test.method, test.body), func(t *testing.T) {
			var good atomic.Int64
			address, seen := badCopy(t, strings.TrimPrefix(test.copy, nothing))
			if test.copy == refused {
				address = "127.0.0.1:1"
			}
			st := newStage(t, Settings{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				good.Add(1)
				body, _ := io.ReadAll(r.Body)
				if test.body != "" && string(body) != "abc" {
					t.Errorf("the body came as %q", body)
				}
			}), func(r *traffic.Route) {
				r.Targets = []traffic.Target{{Instance: "shop.production.2.0", Address: address, Weight: 1}, r.Targets[0]}
			})
			head, end := test.body, ""
			if head == "" {
				end = "\r\n"
			}
			conn := st.dial()
			_, _ = io.WriteString(conn, test.method+" / HTTP/1.1\r\nHost: shop.localhost\r\n"+head+end)
			answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: test.method})
			if err != nil {
				t.Fatal(err)
			}
			st.eventually("it is counted", func() bool { return st.ledger().Requests() == 1 })
			if answer.StatusCode != test.status || st.ledger().Retried != test.retried || good.Load() != test.retried {
				t.Errorf("%d; the good copy had %d; ledger %+v", answer.StatusCode, good.Load(), st.ledger())
			}
			if test.copy != refused && seen.Load() != 1 {
				t.Errorf("the bad copy had the request %d times", seen.Load())
			}
		})
	}
}

func TestProxy_StopsARequestThatKillsCopies(t *testing.T) {
	var targets []traffic.Target
	var all []*atomic.Int64
	for i := range 5 {
		address, seen := badCopy(t, "")
		targets = append(targets, traffic.Target{Instance: testInstance(i), Address: address, Weight: 1})
		all = append(all, seen)
	}
	st := newStage(t, Settings{}, dump, func(r *traffic.Route) { r.Targets = targets })
	if answer, _ := st.ask("GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n"); answer.StatusCode != http.StatusBadGateway {
		t.Errorf("status %d", answer.StatusCode)
	}
	var sum int64
	for _, seen := range all {
		sum += seen.Load()
	}
	if sum != 2 {
		t.Errorf("%d copies had it, want 2", sum)
	}
}
