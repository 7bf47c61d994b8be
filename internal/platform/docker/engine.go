package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// The versions of the Engine's API (1.x): what this client is written against, and the oldest
// that has all of it. An Engine that has dropped the first is spoken to in its own oldest.
const (
	apiWritten = 41
	apiOldest  = 40
)

const (
	callTimeout = time.Minute // of one call that answers with a document
	answerLimit = 16 << 20    // bytes of such an answer
	errorLimit  = 64 << 10    // bytes of the answer to a call that failed
)

// An engine speaks to a Docker Engine, or to what answers like one, over its socket.
type engine struct {
	socket  string
	client  *http.Client
	api     atomic.Int64                  // the minor version that is spoken
	version atomic.Pointer[engineVersion] // what it told of itself last; nil: it never did
}

func newEngine(socket string) *engine {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		d := net.Dialer{Timeout: 10 * time.Second}
		return d.DialContext(ctx, "unix", socket)
	}
	e := &engine{socket: socket, client: &http.Client{Transport: &http.Transport{
		DialContext: dial, DisableCompression: true, MaxIdleConns: 8, IdleConnTimeout: time.Minute,
	}}}
	e.api.Store(apiWritten)
	return e
}

func (e *engine) close() { e.client.CloseIdleConnections() }

// A refusal is an answer of the Engine that is not success.
type refusal struct {
	status  int
	message string
}

func (r *refusal) Error() string {
	return fmt.Sprintf("the container engine answers %d: %s", r.status, r.message)
}

// refusedWith reports whether an error is the Engine's answer with that status.
func refusedWith(err error, status int) bool {
	r, ok := errors.AsType[*refusal](err)
	return ok && r.status == status
}

// call sends a document, nil for none, and reads the one that is answered, unless it is nil.
func (e *engine) call(ctx context.Context, method, path string, query url.Values, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	answer, err := e.open(ctx, method, path, query, body, "application/json")
	if err != nil {
		return err
	}
	defer answer.Close()
	if out == nil {
		_, err = io.Copy(io.Discard, io.LimitReader(answer, answerLimit))
	} else {
		err = json.NewDecoder(io.LimitReader(answer, answerLimit)).Decode(out)
	}
	if err != nil {
		return e.unreachable(ctx, err)
	}
	return nil
}

// open sends a request and returns the body of its answer, which the caller closes. How long
// it may take is ctx's.
func (e *engine) open(ctx context.Context, method, path string, query url.Values, body io.Reader, contentType string) (io.ReadCloser, error) {
	answer, err := e.answer(ctx, method, e.versioned(path), query, body, contentType)
	if err != nil {
		return nil, err
	}
	return answer.Body, nil
}

// versioned returns a path in the version of the API that is spoken.
func (e *engine) versioned(path string) string { return fmt.Sprintf("/v1.%d%s", e.api.Load(), path) }

func (e *engine) answer(ctx context.Context, method, path string, query url.Values, body io.Reader, contentType string) (*http.Response, error) {
	u := url.URL{Scheme: "http", Host: "engine", Path: path, RawQuery: query.Encode()}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", contentType)
	}
	answer, err := e.client.Do(r)
	if err != nil {
		return nil, e.unreachable(ctx, err)
	}
	if answer.StatusCode < 300 || answer.StatusCode == http.StatusNotModified {
		return answer, nil
	}
	defer answer.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(answer.Body, errorLimit)) // what there is of it
	var said struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(b, &said) != nil || said.Message == "" {
		said.Message = http.StatusText(answer.StatusCode)
	}
	return nil, &refusal{status: answer.StatusCode, message: said.Message}
}

// unreachable says that the Engine did not answer, or that ctx has ended.
func (e *engine) unreachable(ctx context.Context, err error) error {
	if cause := ctx.Err(); errors.Is(cause, context.Canceled) {
		return cause
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EACCES) {
		return andon.Errorf(andon.KindRefused, "this user may not use the container engine at %s", e.socket).
			WithHint("Let the agent run as root, or as a member of the group that owns the socket.").Because(err)
	}
	return andon.Errorf(andon.KindUnreachable, "the container engine at %s does not answer", e.socket).
		WithHint("See whether Docker or Podman runs: systemctl status docker, or podman.socket.").Because(err)
}
