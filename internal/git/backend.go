package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

const (
	// maxHeader bounds what git http-backend says before its answer.
	maxHeader = 64 << 10
	// maxErrors bounds what is kept of its errors, for the log.
	maxErrors = 8 << 10
	// maxOverhead is what a push may have besides its pack.
	maxOverhead = 1 << 20
	// stall is how long a client may take to send or receive one piece.
	stall = 2 * time.Minute
	// endDelay is how long a git that was told to end may take.
	endDelay = 3 * time.Second
)

// A run is one run of git http-backend.
type run struct {
	dir   string // of the repository
	what  string
	talk  *os.File // given to hooks as descriptor 3: they read answers from it; nil: none
	ask   *os.File // descriptor 4: they write questions to it
	after func()   // called once git runs, in place of keeping talk and ask open here
}

// backend runs git http-backend for a request and streams both ways. It returns an error only
// when nothing has been answered yet.
func (g *Git) backend(ctx context.Context, w http.ResponseWriter, r *http.Request, b run) error {
	cmd := exec.CommandContext(ctx, "git", "http-backend")
	cmd.Dir = g.Dir
	cmd.Env = g.environment(r, b)
	if b.talk != nil {
		cmd.ExtraFiles = []*os.File{b.talk, b.ask}
	}
	// What git starts ends with it: index-pack, the hooks, and what they start.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = endDelay
	said := &firstWords{}
	cmd.Stderr = said
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	control := http.NewResponseController(w)
	// git answers while it still reads. HTTP/2 always allows that, and says so with an error.
	_ = control.EnableFullDuplex()
	if err := cmd.Start(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return andon.Errorf(andon.KindUnavailable, "the program git is not installed where the plant runs").Because(err)
		}
		return fmt.Errorf("starting git http-backend: %w", err)
	}
	if b.after != nil {
		b.after()
	}
	var body fed
	body.whole.Store(r.Body == http.NoBody)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		g.feed(stdin, control, r, &body)
	}()
	answered, err := answer(w, control, stdout)
	if err != nil {
		_ = cmd.Cancel() // nobody listens any more
	}
	waitErr := cmd.Wait()
	select {
	case <-sent:
	default:
		// git may have ended before it had read everything: the client is not waited for. One that has
		// sent everything is watched by the server, which would take the deadline for its end, and refuse
		// what it asks for next on the connection.
		body.ended.Store(true)
		if !body.whole.Load() {
			_ = control.SetReadDeadline(time.Now())
		}
		<-sent
	}
	switch {
	case answered:
		if waitErr != nil && ctx.Err() == nil {
			g.Log.Warn("git http-backend ended badly", "repository", filepath.Base(b.dir), "request", b.what, "err", waitErr, "stderr", said.String())
		}
		return nil
	case ctx.Err() != nil:
		return errStopping().Because(ctx.Err())
	default:
		return fmt.Errorf("git http-backend: %w: %s", errors.Join(err, waitErr), said)
	}
}

// fed is how far the body of a request has come on its way to git.
type fed struct {
	whole atomic.Bool // all of it was received
	ended atomic.Bool // git has ended, and takes no more
}

// feed gives the body of the request to git, until it ends or git has ended.
func (g *Git) feed(stdin io.WriteCloser, control *http.ResponseController, r *http.Request, f *fed) {
	defer stdin.Close()
	if f.whole.Load() {
		return
	}
	// git itself refuses a pack that is too large, with a sentence; this is for everything else.
	body := io.LimitReader(r.Body, g.MaxPush+maxOverhead)
	buf := make([]byte, 32<<10)
	for {
		// A connection without deadlines is one of a test.
		_ = control.SetReadDeadline(time.Now().Add(stall))
		if f.ended.Load() { // whoever says so sets the deadline afterwards
			return
		}
		n, err := body.Read(buf)
		f.whole.Store(err != nil)
		if n > 0 {
			if _, err := stdin.Write(buf[:n]); err != nil {
				return // git has read enough, or has ended
			}
		}
		if err != nil {
			break // the end; or the client went away or sent too much, and git finds the push cut off
		}
	}
	// From here on, the server itself watches whether the client is still there.
	_ = control.SetReadDeadline(time.Time{})
}

// answer sends what git http-backend answers: a header like that of HTTP, then the body.
func answer(w http.ResponseWriter, control *http.ResponseController, stdout io.Reader) (answered bool, err error) {
	limited := &io.LimitedReader{R: stdout, N: maxHeader}
	buffered := bufio.NewReaderSize(limited, 4<<10)
	header, err := textproto.NewReader(buffered).ReadMIMEHeader()
	if err != nil {
		return false, fmt.Errorf("reading its answer: %w", err)
	}
	limited.N = 1 << 62 // the header was bounded; the body is streamed
	status := http.StatusOK
	if text := header.Get("Status"); text != "" {
		code, _, _ := strings.Cut(text, " ")
		if status, err = strconv.Atoi(code); err != nil || status < 200 || status > 599 {
			return false, fmt.Errorf("its answer has the status %q", text)
		}
		header.Del("Status")
	}
	for key, values := range header {
		w.Header()[key] = values
	}
	w.WriteHeader(status)
	buf := make([]byte, 32<<10)
	for {
		n, err := buffered.Read(buf)
		if n > 0 {
			// A connection without deadlines is one of a test.
			_ = control.SetWriteDeadline(time.Now().Add(stall))
			if _, err := w.Write(buf[:n]); err != nil {
				return true, err
			}
			if err := control.Flush(); err != nil {
				return true, err
			}
		}
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return true, err
		}
	}
}

// environment returns the whole environment of git and of the hooks that it runs.
func (g *Git) environment(r *http.Request, b run) []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "HOME=" + g.Dir,
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_ATTR_NOSYSTEM=1", "GIT_NO_REPLACE_OBJECTS=1",
		"GIT_PROJECT_ROOT=" + filepath.Dir(b.dir), "PATH_INFO=/" + filepath.Base(b.dir) + "/" + b.what,
		"GIT_HTTP_EXPORT_ALL=1", "GATEWAY_INTERFACE=CGI/1.1",
		"REQUEST_METHOD=" + r.Method, "QUERY_STRING=" + query(r), "CONTENT_TYPE=" + r.Header.Get("Content-Type"),
		"REMOTE_USER=admin", "REMOTE_ADDR=" + r.RemoteAddr,
	}
	if r.ContentLength >= 0 && r.Method == http.MethodPost {
		env = append(env, "CONTENT_LENGTH="+strconv.FormatInt(r.ContentLength, 10))
	}
	if r.Header.Get("Content-Encoding") == "gzip" {
		env = append(env, "HTTP_CONTENT_ENCODING=gzip")
	}
	if protocol := r.Header.Get("Git-Protocol"); protocol != "" && len(protocol) < 100 {
		env = append(env, "HTTP_GIT_PROTOCOL="+protocol)
	}
	settings := [][2]string{
		{"safe.directory", "*"},
		{"core.hooksPath", g.hooks},
		{"http.receivepack", "true"},
		{"http.getanyfile", "false"},
		{"receive.fsckObjects", "true"},
		{"receive.maxInputSize", strconv.FormatInt(g.MaxPush, 10)},
		{"receive.advertisePushOptions", "false"},
		{"receive.autogc", "false"},
		{"receive.denyDeleteCurrent", "refuse"},
		{"receive.denyCurrentBranch", "ignore"},
		{"uploadpack.allowAnySHA1InWant", "true"}, // agents fetch commits, also of branches that moved on
		{"uploadpack.allowFilter", "true"},
		{"gc.auto", "0"},
		{"maintenance.auto", "false"},
		{"core.fsync", "committed,reference"}, // a push that was answered survives a loss of power
	}
	env = append(env, "GIT_CONFIG_COUNT="+strconv.Itoa(len(settings)))
	for i, s := range settings {
		n := strconv.Itoa(i)
		env = append(env, "GIT_CONFIG_KEY_"+n+"="+s[0], "GIT_CONFIG_VALUE_"+n+"="+s[1])
	}
	return env
}

// query returns what of the request's query git http-backend needs.
func query(r *http.Request) string {
	if service := r.URL.Query().Get("service"); service == uploadPack || service == receivePack {
		return "service=" + service
	}
	return ""
}

// firstWords keeps the first bytes that are written to it.
type firstWords struct{ kept []byte }

// Write implements io.Writer.
func (t *firstWords) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p[:min(len(p), maxErrors-len(t.kept))]...)
	return len(p), nil
}

// String returns what was kept.
func (t *firstWords) String() string { return strings.TrimSpace(string(t.kept)) }
