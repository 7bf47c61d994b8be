package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/andon-cd/andon/api"
)

// A plant is a server of the real binary with a data directory of its own.
type plant struct {
	bench  *bench
	data   string
	cmd    *exec.Cmd
	url    string
	client *api.Client
	ready  time.Duration // from the start of the process to its first line
	over   bool          // stop was called
}

// start starts a plant over a data directory, which may exist.
func (b *bench) start(ctx context.Context, name string, flags ...string) (*plant, error) {
	p := &plant{bench: b, data: filepath.Join(b.dir, name)}
	args := append([]string{"server", "--data", p.data, "--listen", "127.0.0.1:0", "--proxy", "127.0.0.1:0"}, flags...)
	p.cmd = exec.CommandContext(ctx, b.andon, args...)
	p.cmd.Env = append(os.Environ(), "HOME="+b.dir, "XDG_CONFIG_HOME="+b.dir, "XDG_STATE_HOME="+b.dir, "XDG_DATA_HOME="+b.dir)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	b.plants = append(b.plants, p)
	line, err := bufio.NewReader(out).ReadString('\n')
	p.ready = time.Since(began)
	fields := strings.Fields(line)
	if err != nil || len(fields) != 4 {
		return nil, errors.Join(fmt.Errorf("the server said %q", line), err, p.stop(ctx))
	}
	token, err := os.ReadFile(filepath.Join(p.data, "admin.token"))
	if err != nil {
		return nil, errors.Join(err, p.stop(ctx))
	}
	p.url = fields[1]
	p.client = &api.Client{Server: p.url, Token: strings.TrimSpace(string(token))}
	return p, nil
}

// stop ends the plant and everything that it runs. It does nothing when that was done.
func (p *plant) stop(ctx context.Context) error {
	if p.over {
		return nil
	}
	p.over = true
	return p.bench.down(ctx, p.data, p.cmd)
}

// stopping bounds how long a plant may take to end.
const stopping = time.Minute

// down ends everything that runs over a data directory, and the command that began it: also after
// the measurement was broken off.
func (b *bench) down(ctx context.Context, data string, began *exec.Cmd) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopping)
	defer cancel()
	out, err := exec.CommandContext(ctx, b.andon, "down", "--data", data).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("andon down --data %s: %w: %s", data, err, out)
		_ = began.Process.Kill() // else nobody would
	}
	_ = began.Wait() // its exit says nothing that down does not
	return err
}

// stopAll ends the plants that a measurement which failed has left.
func (b *bench) stopAll(ctx context.Context) (err error) {
	for _, p := range b.plants {
		err = errors.Join(err, p.stop(ctx))
	}
	return err
}

// memory returns the resident memory of a process.
func memory(pid int) (bytes int64, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("no VmRSS")
}

// proxyPID returns the process of the plant's proxy.
func (p *plant) proxyPID() (int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(data), "\x00proxy\x00") && strings.Contains(string(data), p.data) {
			return strconv.Atoi(strings.Split(file, "/")[2])
		}
	}
	return 0, errors.New("the proxy does not run")
}

// A repo is a git repository that is pushed to the plant.
type repo struct {
	dir, url string
	token    string
	commits  int
}

// repo makes a repository with n files and an andon.yaml.
func (p *plant) repo(ctx context.Context, name, yaml string, files int) (*repo, error) {
	r := &repo{dir: filepath.Join(p.bench.dir, "src-"+name), url: p.url + "/git/" + name + ".git", token: p.client.Token}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(r.dir, "andon.yaml"), []byte(yaml), 0o644); err != nil {
		return nil, err
	}
	for i := range files {
		if err := os.WriteFile(filepath.Join(r.dir, fmt.Sprintf("file%03d.txt", i)), []byte(strings.Repeat("x", 2000)), 0o644); err != nil {
			return nil, err
		}
	}
	return r, errors.Join(r.git(ctx, "init", "-q", "-b", "main"), r.git(ctx, "add", "."))
}

func (r *repo) git(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=b", "GIT_AUTHOR_EMAIL=b@example.com", "GIT_COMMITTER_NAME=b", "GIT_COMMITTER_EMAIL=b@example.com",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http.extraHeader", "GIT_CONFIG_VALUE_0=Authorization: Bearer "+r.token)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w: %s", args[0], err, out)
	}
	return nil
}

// push pushes a new commit.
func (r *repo) push(ctx context.Context) error {
	r.commits++
	return errors.Join(r.git(ctx, "commit", "-q", "--allow-empty", "-m", fmt.Sprint("change ", r.commits)), r.git(ctx, "push", "-q", r.url, "HEAD:main"))
}

// wait waits until a version of a service has reached a goal.
func (p *plant) wait(ctx context.Context, service, version, goal string) error {
	waited, err := p.client.Wait(ctx, api.WaitQuestion{Service: service, Version: version, For: goal, Timeout: 5 * time.Minute})
	if err != nil {
		return err
	}
	if waited.State != api.WaitReached {
		return fmt.Errorf("%s %s: %s", service, version, waited.Reason)
	}
	return nil
}

// follow calls take with each event after a position until it returns errDone.
func (p *plant) follow(ctx context.Context, after int64, take func(api.Event) error) error {
	err := p.client.Events(ctx, after, take)
	if errors.Is(err, errDone) {
		return nil
	}
	return err
}

var errDone = errors.New("done")
