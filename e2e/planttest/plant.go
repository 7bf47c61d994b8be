package planttest

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/andon-cd/andon/api"
)

const (
	// Starting bounds how long a plant may take to be ready.
	Starting = 3 * time.Minute
	// stopping bounds how long a server may take to end after SIGTERM.
	stopping = 2 * time.Minute
)

// A Plant is a server with everything that belongs to it, in directories of its own.
type Plant struct {
	T       *testing.T
	Program string
	Home    string // of its user; everything else is below it
	Data    string
	Listen  string
	Through string   // address of the proxy, as the server is told
	Options []string // more of them for the server
	At      Place    // where it is; nil: here

	URL    string // since it is ready
	Proxy  string // host:port where services answer, since it is ready
	Token  string
	Client *api.Client

	server *exec.Cmd
	ended  chan struct{} // closed when the server's process has ended
	down   bool          // it is not meant to run
	over   bool          // End was called
}

// A Place is where a plant is in a network.
type Place interface {
	// Command returns a command as it is run there.
	Command(name string, args ...string) (string, []string)
	// Dial connects from there.
	Dial(ctx context.Context, network, address string) (net.Conn, error)
}

// here is this machine, as it is.
type here struct{ net.Dialer }

func (here) Command(name string, args ...string) (string, []string) { return name, args }

func (h here) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return h.DialContext(ctx, network, address)
}

// New returns a plant that was never started, on ports of its choice. It ends with the test.
func New(t *testing.T, options ...string) *Plant {
	t.Helper()
	home := NewHome(t)
	p := &Plant{
		T: t, Program: Program(t), Home: home, Data: filepath.Join(home, "plant"),
		Listen: "127.0.0.1:0", Through: "127.0.0.1:0", Options: options, At: here{}, down: true,
	}
	t.Cleanup(p.End)
	return p
}

// Start returns a plant that is ready, and ends it with the test.
func Start(t *testing.T, options ...string) *Plant {
	t.Helper()
	p := New(t, options...)
	p.Start()
	return p
}

// StartFixed is Start on ports that stay the same when the server starts again.
func StartFixed(t *testing.T, options ...string) *Plant {
	t.Helper()
	p := New(t, options...)
	p.Listen, p.Through = FreeAddress(t), FreeAddress(t)
	p.Start()
	return p
}

var ports atomic.Int64

// FreeAddress returns an address that nothing listens on, which Linux gives to no outgoing
// connection, and andon to no copy, and which browsers visit: port 10080 they do not.
func FreeAddress(t testing.TB) string {
	t.Helper()
	for range 8_900 {
		port := 10_100 + (int64(os.Getpid())*97+ports.Add(1))%8_900
		address := fmt.Sprintf("127.0.0.1:%d", port)
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}

// ServerLog names the file with what the server says on standard error.
func (p *Plant) ServerLog() string { return filepath.Join(p.Home, "server.log") }

// Start starts the server and returns when it is ready.
func (p *Plant) Start() {
	p.T.Helper()
	if err := p.tryStart(); err != nil {
		log, _ := os.ReadFile(p.ServerLog())
		p.T.Fatalf("the server is not ready: %v\n%s", err, log)
	}
}

func (p *Plant) tryStart() error {
	log, err := os.OpenFile(p.ServerLog(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	args := append([]string{"server", "--data", p.Data, "--listen", p.Listen, "--proxy", p.Through}, p.Options...)
	name, args := p.At.Command(p.Program, args...)
	p.server = exec.Command(name, args...) //nolint:noctx // End ends it
	p.server.Env, p.server.Dir, p.server.Stderr = EnvironmentIn(p.Home), p.Home, log
	p.server.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := p.server.StdoutPipe()
	if err != nil {
		return err
	}
	if err := p.server.Start(); err != nil {
		return err
	}
	p.down, p.ended = false, make(chan struct{})
	first := make(chan string, 1)
	go func(server *exec.Cmd, ended chan struct{}) {
		line, _ := bufio.NewReader(out).ReadString('\n')
		first <- line
		_ = server.Wait() // how it ended is in its state
		close(ended)
	}(p.server, p.ended)
	select {
	case line := <-first:
		if err := p.read(line); err != nil {
			return err
		}
	case <-time.After(Starting):
		return fmt.Errorf("it says nothing for %s", Starting)
	}
	token, err := os.ReadFile(filepath.Join(p.Data, "admin.token"))
	if err != nil {
		return err
	}
	p.Token = strings.TrimSpace(string(token))
	p.Client = &api.Client{Server: p.URL, Token: p.Token, HTTP: &http.Client{Transport: &http.Transport{DialContext: p.At.Dial}}}
	return nil
}

// read takes the addresses from the line "ready URL proxy URL".
func (p *Plant) read(line string) error {
	var proxy string
	if n, _ := fmt.Sscanf(line, "ready %s proxy %s", &p.URL, &proxy); n != 2 || !strings.HasSuffix(line, "\n") {
		return fmt.Errorf("its first line is %q", line)
	}
	u, err := url.Parse(proxy)
	if err != nil {
		return err
	}
	p.Proxy = u.Host
	return nil
}

// Kill ends the server, and the agent in it, as a power cut would. Copies and proxy stay.
func (p *Plant) Kill() {
	p.T.Helper()
	p.mustRun()
	p.down = true
	if err := p.server.Process.Kill(); err != nil {
		p.T.Fatal(err)
	}
	<-p.ended
}

// Stop ends the server in an orderly way. Copies and proxy stay.
func (p *Plant) Stop() {
	p.T.Helper()
	p.mustRun()
	p.down = true
	if err := p.server.Process.Signal(syscall.SIGTERM); err != nil {
		p.T.Fatal(err)
	}
	select {
	case <-p.ended:
	case <-time.After(stopping):
		p.T.Fatalf("the server goes on %s after SIGTERM", stopping)
	}
	if code := p.server.ProcessState.ExitCode(); code != 0 {
		log, _ := os.ReadFile(p.ServerLog())
		p.T.Fatalf("the server ends with %d after SIGTERM\n%s", code, log)
	}
}

// mustRun fails the test when the server has ended by itself.
func (p *Plant) mustRun() {
	p.T.Helper()
	select {
	case <-p.ended:
		log, _ := os.ReadFile(p.ServerLog())
		p.T.Fatalf("the server has ended by itself: %v\n%s", p.server.ProcessState, log)
	default:
	}
}

// Abandon says that the server ended and was meant to: the test ended it in a way of its own.
func (p *Plant) Abandon() { p.down = true }

// End stops everything with andon down, and fails the test for whatever is left, whatever
// crashed, and each race that was seen.
func (p *Plant) End() {
	if p.over {
		return
	}
	p.over = true
	if _, err := os.Stat(filepath.Join(p.Data, "format")); err != nil {
		return // it never was a plant
	}
	if !p.down {
		select {
		case <-p.ended:
			p.T.Errorf("the server has ended by itself: %v", p.server.ProcessState)
		default:
		}
	}
	if r := p.Andon("down", "--data", p.Data); r.Code != Done {
		p.T.Errorf("andon down: %s", r)
	}
	for _, left := range LeftOf(p.Data) {
		p.T.Errorf("andon down leaves process %d: %s", left.PID, left.Command)
		_ = syscall.Kill(left.PID, syscall.SIGKILL)
	}
	SearchLogs(p.T, p.Home)
	if p.T.Failed() {
		log, _ := os.ReadFile(p.ServerLog())
		p.T.Logf("the end of the server's log:\n%s", log[max(0, len(log)-4000):])
	}
}

// SearchLogs fails the test for each race and each panic in the logs of server, proxy and copies.
func SearchLogs(t testing.TB, home string) {
	_ = filepath.WalkDir(home, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".log") {
			return nil //nolint:nilerr // what is being removed meanwhile says nothing any more
		}
		data, _ := os.ReadFile(path)
		for _, sign := range []string{"WARNING: DATA RACE", "panic: ", "fatal error: "} {
			if i := strings.Index(string(data), sign); i >= 0 {
				t.Errorf("%s: %s", path, data[i:min(len(data), i+6000)])
			}
		}
		return nil
	})
}

// Andon runs a command of this plant's user.
func (p *Plant) Andon(args ...string) Result {
	name, args := p.At.Command(p.Program, args...)
	return Execute(p.T, p.Home, EnvironmentIn(p.Home), name, args...)
}

// Wait waits for a version with the command line, and fails the test unless it is reached.
func (p *Plant) Wait(version, goal string) {
	p.T.Helper()
	r := p.Andon("wait", version, "--for", goal, "--timeout", Patience.String())
	if r.Code != Done {
		p.T.Fatalf("andon wait %s --for %s: %s\n%s", version, goal, r, p.Andon("why").Out)
	}
}
