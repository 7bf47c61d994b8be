package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	// starting bounds how long the plant may take to be ready.
	starting = 30 * time.Second
	// stopping bounds how long its server may take to end before it is killed.
	stopping = 20 * time.Second
)

// A plant is a server of this very program, in a process and a directory of its own.
type plant struct {
	cmd    *exec.Cmd
	exited chan struct{}
	url    string // of the board and everything else of Andon
	proxy  string // host:port where the services answer
	token  string
	home   *home
	log    string
}

// startPlant starts a server and returns when it is ready. It is in a process group of its own:
// a Ctrl-C in the terminal is the demo's, which ends the server in its turn.
func startPlant(ctx context.Context, program string, h *home) (*plant, error) {
	p := &plant{exited: make(chan struct{}), home: h, log: h.log()}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd = exec.Command(program, "server", "--data", h.plant(), "--listen", "127.0.0.1:0", "--proxy", "127.0.0.1:0") //nolint:noctx // stop ends it
	p.cmd.Env, p.cmd.Stderr = plantEnvironment(h), log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(out).ReadString('\n')
		line <- text
	}()
	var ready string
	select {
	case ready = <-line:
	case <-ctx.Done():
	case <-time.After(starting):
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in its log
		close(p.exited)
	}()
	if err := p.read(ready); err != nil {
		p.stop()
		return nil, errors.Join(ctx.Err(), err)
	}
	return p, nil
}

// read takes the addresses from the line "ready URL proxy URL", and the token.
func (p *plant) read(ready string) error {
	var proxy string
	if n, _ := fmt.Sscanf(ready, "ready %s proxy %s", &p.url, &proxy); n != 2 {
		return fmt.Errorf("the plant did not start; it says: %s", strings.TrimSpace(tail(p.log, 2000)))
	}
	u, err := url.Parse(proxy)
	if err != nil {
		return err
	}
	p.proxy = u.Host
	token, err := os.ReadFile(filepath.Join(p.home.plant(), "admin.token"))
	p.token = strings.TrimSpace(string(token))
	return err
}

// stop ends the server. What it deployed goes on: see down.
func (p *plant) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(stopping):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
}

// shopURL is where people see the shop in production.
func (p *plant) shopURL() string {
	_, port, _ := strings.Cut(p.proxy, ":")
	return "http://" + shopHost + ":" + port
}

// plantEnvironment is the environment of everything that the demo starts: this one's, without
// what would lead to another plant, and with a state of its own.
func plantEnvironment(h *home) []string {
	environment := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "ANDON_") || strings.HasPrefix(v, "XDG_STATE_HOME=") || strings.HasPrefix(v, "GIT_")
	})
	return append(environment, "XDG_STATE_HOME="+h.state(), "NO_COLOR=1")
}
