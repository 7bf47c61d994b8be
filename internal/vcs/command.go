package vcs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// How long git may take at most, whatever the caller's context allows.
const (
	localTimeout    = 30 * time.Second
	checkoutTimeout = 10 * time.Minute
	lsRemoteTimeout = time.Minute
	fetchTimeout    = 15 * time.Minute
)

// Limits on what is kept of git's output.
const (
	maxOutput = 16 << 20
	maxStderr = 8 << 10
)

// killDelay is how long a killed git may hold its pipes open.
const killDelay = 2 * time.Second

// A setting is one entry of git's configuration, given in the environment: it is in no file,
// and no process list shows it.
type setting struct{ key, value string }

// settings apply to every call.
var settings = []setting{
	{"safe.directory", "*"}, // the paths are ours; who owns them does not matter
	{"core.hooksPath", os.DevNull},
	{"core.fsmonitor", "false"},
	{"core.quotePath", "false"},
	{"gc.auto", "0"},
	{"maintenance.auto", "false"},
	{"advice.detachedHead", "false"},
	{"init.defaultBranch", "main"},
	{"protocol.allow", "never"},
	{"protocol.file.allow", "always"},
	{"protocol.http.allow", "always"},
	{"protocol.https.allow", "always"},
	{"protocol.ssh.allow", "always"},
	{"protocol.git.allow", "always"},
	{"http.lowSpeedLimit", "1"},
	{"http.lowSpeedTime", "60"},
	{"credential.helper", ""},
}

// passed are the only variables of our own environment that git and ssh see.
var passed = []string{
	"PATH", "HOME", "USER", "TMPDIR", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR",
	"http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
}

// A command is one run of git.
type command struct {
	args     []string
	dir      string
	env      []string
	settings []setting
	stdin    string
	timeout  time.Duration
	limit    int // of stdout in bytes; 0: maxOutput
}

// errOutput says that git printed more than the caller wants to keep.
var errOutput = errors.New("git printed more than the limit")

// A failure is a git that ended badly.
type failure struct {
	command string // the subcommand alone: arguments may name what must not be shown
	code    int
	stderr  string
}

func (f *failure) Error() string {
	return fmt.Sprintf("git %s: exit status %d: %s", f.command, f.code, strings.TrimSpace(f.stderr))
}

// run runs git to its end and returns what it printed.
func (c command) run(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", c.args...)
	cmd.Dir = c.dir
	cmd.Env = c.environment()
	if c.stdin != "" {
		cmd.Stdin = strings.NewReader(c.stdin)
	}
	limit := c.limit
	if limit == 0 {
		limit = maxOutput
	}
	stdout, stderr := &bounded{limit: limit, fail: true}, &bounded{limit: maxStderr}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	// git starts programs of its own (ssh, git-remote-https): all of them end together.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = killDelay

	err := cmd.Run()
	switch {
	case err == nil:
		return stdout.buf.Bytes(), nil
	case ctx.Err() != nil:
		return nil, andon.Errorf(andon.KindTimeout, "git %s did not end in time", c.args[0]).Because(ctx.Err())
	case stdout.over:
		return nil, errOutput
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, &failure{command: c.args[0], code: exit.ExitCode(), stderr: stderr.buf.String()}
	}
	if errors.Is(err, exec.ErrNotFound) {
		return nil, andon.Errorf(andon.KindUnavailable, "the program git is not installed").
			WithHint("install git 2.31 or newer on this machine").Because(err)
	}
	return nil, fmt.Errorf("git %s: %w", c.args[0], err)
}

// environment returns the whole environment of git.
func (c command) environment() []string {
	env := make([]string, 0, len(passed)+len(c.env)+2*(len(settings)+len(c.settings))+8)
	for _, name := range passed {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	env = append(env,
		"LC_ALL=C",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL="+os.DevNull,
		"GIT_ATTR_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0",
		"GIT_ASKPASS=true", // the program true: answers every question with nothing
		"SSH_ASKPASS=true",
		"GIT_OPTIONAL_LOCKS=0",
		"GIT_NO_REPLACE_OBJECTS=1",
	)
	n := 0
	for _, list := range [][]setting{settings, c.settings} {
		for _, s := range list {
			i := strconv.Itoa(n)
			env = append(env, "GIT_CONFIG_KEY_"+i+"="+s.key, "GIT_CONFIG_VALUE_"+i+"="+s.value)
			n++
		}
	}
	env = append(env, "GIT_CONFIG_COUNT="+strconv.Itoa(n))
	return append(env, c.env...)
}

// bounded keeps the first bytes that are written to it, up to a limit; past it, it either
// fails the writer or drops the rest.
type bounded struct {
	buf   bytes.Buffer
	limit int
	fail  bool
	over  bool
}

func (b *bounded) Write(p []byte) (int, error) {
	room := b.limit - b.buf.Len()
	if len(p) <= room {
		return b.buf.Write(p)
	}
	b.over = true
	if b.fail {
		return 0, io.ErrShortWrite
	}
	b.buf.Write(p[:room])
	return len(p), nil
}
