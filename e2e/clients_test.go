package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andon-cd/andon/e2e/planttest"
)

// customerd returns the client program.
func customerd(t *testing.T) string { return planttest.Build(t, "customer", "./testdata/customer") }

// A clientCount is what one service was asked by a client process; see testdata/customer.
type clientCount struct {
	Requests, Upgraded, Moved, Messages int64
	Codes                               map[int]int64
}

// unserved returns how many requests were answered with neither 200 nor 101.
func (c clientCount) unserved() int64 { return c.Requests - c.Codes[200] - c.Codes[101] }

func (c *clientCount) add(more clientCount) {
	if c.Codes == nil {
		c.Codes = map[int]int64{}
	}
	c.Requests += more.Requests
	c.Upgraded += more.Upgraded
	c.Moved += more.Moved
	c.Messages += more.Messages
	for code, n := range more.Codes {
		c.Codes[code] += n
	}
}

// A clientProcess uses services in one way all the time, as a process of its own.
type clientProcess struct {
	t      *testing.T
	name   string
	cmd    *exec.Cmd
	orders io.WriteCloser
	counts chan map[string]clientCount
	ended  chan struct{}

	mu       sync.Mutex
	failures []string
}

// clientEnding bounds how long what a client has begun may take.
const clientEnding = 90 * time.Second

// startClient starts a client, which ends with the test.
func startClient(t *testing.T, name string, args ...string) *clientProcess {
	t.Helper()
	c := &clientProcess{t: t, name: name, cmd: exec.Command(customerd(t), args...), counts: make(chan map[string]clientCount, 1), ended: make(chan struct{})}
	c.cmd.Dir = planttest.Root()
	var err error
	if c.orders, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	said, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	complaints := new(strings.Builder)
	c.cmd.Stderr = complaints
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.ended)
		c.read(said)
		if err := c.cmd.Wait(); err != nil {
			c.fail(fmt.Sprintf("%s ends with %v: %s", name, err, complaints))
		}
	}()
	t.Cleanup(c.end)
	return c
}

// read takes what the client says until it ends.
func (c *clientProcess) read(said io.Reader) {
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		var line struct {
			Failure string
			Counts  map[string]clientCount
		}
		switch err := json.Unmarshal(lines.Bytes(), &line); {
		case err != nil:
			c.fail(fmt.Sprintf("%s says %q", c.name, lines.Text()))
		case line.Counts != nil:
			c.counts <- line.Counts
		default:
			c.fail(line.Failure)
		}
	}
}

func (c *clientProcess) fail(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures = append(c.failures, what)
}

// silence tells the client to be silent once what it has begun is over, and then to say what it has
// counted.
func (c *clientProcess) silence() {
	c.t.Helper()
	if _, err := io.WriteString(c.orders, "count\n"); err != nil {
		c.t.Fatalf("client %s: %v: %v", c.name, err, c.failed())
	}
}

// counted returns, by host name, what a client has counted that was told to be silent.
func (c *clientProcess) counted() map[string]clientCount {
	c.t.Helper()
	select {
	case counts := <-c.counts:
		return counts
	case <-c.ended:
		c.t.Fatalf("client %s has ended: %v", c.name, c.failed())
	case <-time.After(clientEnding):
		c.t.Fatalf("client %s is not silent after %s", c.name, clientEnding)
	}
	return nil
}

// failed returns what went wrong for the client so far.
func (c *clientProcess) failed() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.failures...)
}

// leave tells the client to end.
func (c *clientProcess) leave() { c.orders.Close() }

// end ends the client.
func (c *clientProcess) end() {
	c.leave()
	select {
	case <-c.ended:
	case <-time.After(clientEnding):
		_ = c.cmd.Process.Kill()
		<-c.ended
	}
}
