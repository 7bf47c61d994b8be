package runner_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/agent/runner"
	"github.com/andon-cd/andon/internal/andon"
)

// smoke runs checks against an address.
func (b *bed) smoke(address string, checks ...andon.Check) (andon.TaskResult, string) {
	b.t.Helper()
	lease := b.job()
	lease.Task.ID, lease.Task.Kind, lease.Task.Checks = "shop.test.1.smoke.0", andon.TaskSmoke, checks
	log := newLog()
	result := b.runner.Run(b.t.Context(), lease, runner.Surroundings{Log: log, CopyURL: address})
	b.leftNothing()
	return result, log.String()
}

func check(path string, status int, contains string) andon.Check {
	return andon.Check{HTTP: &andon.HTTPCheck{Path: path, Status: status, Contains: contains}}
}

func TestSmoke_ComparesWhatTheCopyAnswers(t *testing.T) {
	copied := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case "/broken":
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, "boom \x1b[31m\x00")
		case "/cut":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "half")
		default:
			fmt.Fprint(w, "welcome to the shop")
		}
	}))
	defer copied.Close()
	b := newBed(t, map[string]string{"smoke.sh": "test \"$ANDON_URL\" = '" + copied.URL + "' && echo asked\n"})
	for name, tt := range map[string]struct {
		check  andon.Check
		reason string
	}{
		"the default status":      {check("/", 0, "welcome"), ""},
		"another status":          {check("/moved", 302, ""), ""},
		"a redirect is an answer": {check("/moved", 0, ""), "smoke test: GET /moved answered 302, expected 200"},
		"a failing copy":          {check("/broken", 200, ""), "smoke test: GET /broken answered 500, expected 200"},
		"a missing text":          {check("/", 200, "farewell"), `smoke test: GET / answered without "farewell"`},
		"half an answer":          {check("/cut", 200, ""), "smoke test: GET /cut got no answer: unexpected EOF"},
		"a command":               {andon.Check{Run: "sh smoke.sh"}, ""},
		"a failing command":       {andon.Check{Run: "exit 4"}, `smoke test: step "exit 4" failed with exit status 4`},
	} {
		result, log := b.smoke(copied.URL, tt.check)
		if result.Reason != tt.reason || (result.Outcome == andon.Succeeded) != (tt.reason == "") || len(result.Steps) != 1 {
			t.Errorf("%s: %+v\n%s", name, result, log)
		}
		if strings.Contains(log, "\x1b") {
			t.Errorf("%s: the log has control characters", name)
		}
	}
	result, log := b.smoke(copied.URL, andon.Check{Run: "true"}, check("/broken", 200, ""), check("/", 200, ""))
	if len(result.Steps) != 2 || !strings.Contains(log, "GET /broken: 500") || !strings.Contains(log, "boom") || strings.Contains(log, "GET /: ") {
		t.Errorf("%+v\n%s", result, log)
	}
}

func TestSmoke_WaitsALittleForACopyThatDoesNotListenYet(t *testing.T) {
	b := newBed(t, nil)
	address, listen := reserve(t)
	result, _ := b.smoke("http://"+address, check("/", 200, ""))
	if result.Outcome != andon.Failed || !strings.Contains(result.Reason, "connection refused") {
		t.Errorf("result %+v", result)
	}
	server := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: patience}
	defer server.Close()
	timer := time.AfterFunc(100*time.Millisecond, func() {
		late, err := listen()
		if err != nil {
			t.Error(err)
			return
		}
		_ = server.Serve(late) // until it is closed
	})
	defer timer.Stop()
	if result, log := b.smoke("http://"+address, check("/", 404, "")); result.Outcome != andon.Succeeded {
		t.Errorf("result %+v\n%s", result, log)
	}
}

// reserve takes an address on which nobody listens, and which nobody else is given, until listen
// is called.
func reserve(t *testing.T) (address string, listen func() (net.Listener, error)) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(fd)
	socket := os.NewFile(uintptr(fd), "socket")
	t.Cleanup(func() { socket.Close() })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	at, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	port, ok := at.(*syscall.SockaddrInet4)
	if !ok {
		t.Fatalf("the socket is at %v", at)
	}
	return fmt.Sprintf("127.0.0.1:%d", port.Port), func() (net.Listener, error) {
		if err := syscall.Listen(fd, syscall.SOMAXCONN); err != nil {
			return nil, err
		}
		return net.FileListener(socket)
	}
}

func TestSmoke_SaysWhenTheCopyIsGone(t *testing.T) {
	b := newBed(t, nil)
	if result, _ := b.smoke("", check("/", 200, "")); result.Outcome != andon.Failed || !strings.Contains(result.Reason, "is not on this host any more") {
		t.Errorf("result %+v", result)
	}
}
