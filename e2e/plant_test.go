package e2e

import (
	"bufio"
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
	// starting bounds how long a plant may take to be ready.
	starting = time.Minute
	// stopping bounds how long a server may take to end after SIGTERM.
	stopping = 30 * time.Second
)

// A plant is a server with everything that belongs to it, in directories of its own.
type plant struct {
	t       *testing.T
	program string
	home    string // of its user; everything else is below it
	data    string
	listen  string
	through string   // address of the proxy, as the server is told
	options []string // more of them for the server
	at      station  // where it is

	url    string
	proxy  string // host:port where services answer
	token  string
	client *api.Client

	server *exec.Cmd
	ended  chan struct{} // closed when the server's process has ended
	down   bool          // it is not meant to run
	over   bool          // end was called
}

var homes atomic.Int64

// newHome returns an empty directory that is removed after the run, with a short name.
func newHome(t *testing.T) string {
	t.Helper()
	home := filepath.Join(root, fmt.Sprintf("h%03d", homes.Add(1)))
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	return home
}

// newPlant returns a plant that was never started, on ports of its choice.
func newPlant(t *testing.T, options ...string) *plant {
	t.Helper()
	home := newHome(t)
	p := &plant{
		t: t, program: program(t), home: home, data: filepath.Join(home, "plant"),
		listen: "127.0.0.1:0", through: "127.0.0.1:0", options: options, down: true,
	}
	t.Cleanup(p.end)
	return p
}

// startPlant returns a plant that is ready, and ends it with the test.
func startPlant(t *testing.T, options ...string) *plant {
	t.Helper()
	p := newPlant(t, options...)
	p.start()
	return p
}

// startFixedPlant is startPlant on ports that stay the same when the server starts again.
func startFixedPlant(t *testing.T, options ...string) *plant {
	t.Helper()
	p := newPlant(t, options...)
	p.listen, p.through = freeAddress(t), freeAddress(t)
	p.start()
	return p
}

var ports atomic.Int64

// freeAddress returns an address that nothing listens on, which Linux gives to no outgoing
// connection, and andon to no copy.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 9000 {
		port := 10_000 + (int64(os.Getpid())*97+ports.Add(1))%9_000
		address := fmt.Sprintf("127.0.0.1:%d", port)
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}

// serverLog names the file with what the server says on standard error.
func (p *plant) serverLog() string { return filepath.Join(p.home, "server.log") }

// start starts the server and returns when it is ready.
func (p *plant) start() {
	p.t.Helper()
	if err := p.tryStart(); err != nil {
		log, _ := os.ReadFile(p.serverLog())
		p.t.Fatalf("the server is not ready: %v\n%s", err, log)
	}
}

func (p *plant) tryStart() error {
	log, err := os.OpenFile(p.serverLog(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	args := append([]string{"server", "--data", p.data, "--listen", p.listen, "--proxy", p.through}, p.options...)
	name, args := p.at.command(p.program, args...)
	p.server = exec.Command(name, args...)
	p.server.Env, p.server.Dir, p.server.Stderr = environmentIn(p.home), p.home, log
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
		var proxy string
		if n, _ := fmt.Sscanf(line, "ready %s proxy %s", &p.url, &proxy); n != 2 || !strings.HasSuffix(line, "\n") {
			return fmt.Errorf("its first line is %q", line)
		}
		u, err := url.Parse(proxy)
		if err != nil {
			return err
		}
		p.proxy = u.Host
	case <-time.After(starting):
		return fmt.Errorf("it says nothing for %s", starting)
	}
	token, err := os.ReadFile(filepath.Join(p.data, "admin.token"))
	if err != nil {
		return err
	}
	p.token = strings.TrimSpace(string(token))
	p.client = &api.Client{Server: p.url, Token: p.token, HTTP: &http.Client{Transport: &http.Transport{DialContext: p.at.dial}}}
	return nil
}

// kill ends the server, and the agent in it, as a power cut would. Copies and proxy stay.
func (p *plant) kill() {
	p.t.Helper()
	p.mustRun()
	p.down = true
	if err := p.server.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	<-p.ended
}

// stop ends the server in an orderly way. Copies and proxy stay.
func (p *plant) stop() {
	p.t.Helper()
	p.mustRun()
	p.down = true
	if err := p.server.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.ended:
	case <-time.After(stopping):
		p.t.Fatalf("the server goes on %s after SIGTERM", stopping)
	}
	if code := p.server.ProcessState.ExitCode(); code != 0 {
		log, _ := os.ReadFile(p.serverLog())
		p.t.Fatalf("the server ends with %d after SIGTERM\n%s", code, log)
	}
}

// mustRun fails the test when the server has ended by itself.
func (p *plant) mustRun() {
	p.t.Helper()
	select {
	case <-p.ended:
		log, _ := os.ReadFile(p.serverLog())
		p.t.Fatalf("the server has ended by itself: %v\n%s", p.server.ProcessState, log)
	default:
	}
}

// end stops everything with andon down, and fails the test for whatever is left, whatever
// crashed, and each race that was seen.
func (p *plant) end() {
	if p.over {
		return
	}
	p.over = true
	if _, err := os.Stat(filepath.Join(p.data, "format")); err != nil {
		return // it never was a plant
	}
	if !p.down {
		select {
		case <-p.ended:
			p.t.Errorf("the server has ended by itself: %v", p.server.ProcessState)
		default:
		}
	}
	if r := p.andon("down", "--data", p.data); r.code != done {
		p.t.Errorf("andon down: %s", r)
	}
	for _, left := range processesOf(p.data) {
		p.t.Errorf("andon down leaves process %d: %s", left.pid, left.command)
		_ = syscall.Kill(left.pid, syscall.SIGKILL)
	}
	searchLogs(p.t, p.home)
	if p.t.Failed() {
		log, _ := os.ReadFile(p.serverLog())
		p.t.Logf("the end of the server's log:\n%s", log[max(0, len(log)-4000):])
	}
}

// searchLogs fails the test for each race and each panic in the logs of server, proxy and copies.
func searchLogs(t *testing.T, home string) {
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

// andon runs a command of this plant's user.
func (p *plant) andon(args ...string) result {
	name, args := p.at.command(p.program, args...)
	return execute(p.t, p.home, environmentIn(p.home), name, args...)
}

// wait waits for a version with the command line, and fails the test unless it is reached.
func (p *plant) wait(version, goal string) {
	p.t.Helper()
	r := p.andon("wait", version, "--for", goal, "--timeout", "60s")
	if r.code != done {
		p.t.Fatalf("andon wait %s --for %s: %s\n%s", version, goal, r, p.andon("why").out)
	}
}
