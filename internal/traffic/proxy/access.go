package proxy

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/andon-cd/andon/internal/andon"
)

// An accessLog writes a line of JSON for each request of a place to DIR/access.log. Lines wait in
// memory for at most flushEvery; only a proxy that is killed loses those. A file that has become
// too large is renamed to access.log.1, and so on; the oldest is removed.
//
// A line never has the query of a request, nor any of its fields: they may be secrets.
type accessLog struct {
	path string
	log  *slog.Logger

	mu     sync.Mutex
	file   *os.File
	size   int64 // of the file, with what this process has written
	limit  int64
	buf    []byte
	failed bool           // the last write failed, and that was said
	open   sync.WaitGroup // requests that will have a line
}

const (
	flushEvery     = time.Second
	accessBuffer   = 64 << 10
	accessLimit    = 32 << 20 // bytes of one file
	accessFiles    = 5
	accessPathMost = 2 << 10 // bytes of a path in a line
)

func openAccessLog(dir string, log *slog.Logger) (*accessLog, error) {
	a := &accessLog{path: filepath.Join(dir, "access.log"), log: log, limit: accessLimit}
	return a, a.reopen()
}

func (a *accessLog) reopen() error {
	f, err := os.OpenFile(a.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	a.file, a.size = f, info.Size()
	return nil
}

// An accessEntry is what is known of a request when it has ended.
type accessEntry struct {
	place    andon.Place
	ledger   andon.DeploymentID
	instance andon.InstanceID
	outcome  string
	retried  bool
}

// A loggedWriter notes what the client is answered.
type loggedWriter struct {
	http.ResponseWriter
	entry  accessEntry
	status int
	bytes  int64
}

// Unwrap is for http.ResponseController.
func (w *loggedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *loggedWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *loggedWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// note adds the line of a request that has ended.
func (a *accessLog) note(w *loggedWriter, r *http.Request, client string, took time.Duration) {
	defer a.open.Done()
	if w.entry.place == (andon.Place{}) {
		return // it was nobody's
	}
	path, _, _ := strings.Cut(r.RequestURI, "?")
	a.mu.Lock()
	defer a.mu.Unlock()
	b := append(a.buf, `{"time":"`...)
	b = time.Now().UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
	b = append(b, '"')
	b = appendMember(b, "service", string(w.entry.place.Service))
	b = appendMember(b, "environment", string(w.entry.place.Environment))
	b = appendMember(b, "deployment", string(w.entry.ledger))
	b = appendMember(b, "instance", string(w.entry.instance))
	b = appendMember(b, "client", client)
	b = appendMember(b, "protocol", r.Proto)
	b = appendMember(b, "method", r.Method)
	b = appendMember(b, "host", r.Host)
	b = appendMember(b, "path", path[:min(len(path), accessPathMost)])
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(w.status), 10)
	b = append(b, `,"bytes":`...)
	b = strconv.AppendInt(b, w.bytes, 10)
	b = append(b, `,"ms":`...)
	b = strconv.AppendFloat(b, float64(took.Microseconds())/1000, 'f', -1, 64)
	b = appendMember(b, "outcome", w.entry.outcome)
	if w.entry.retried {
		b = append(b, `,"retried":true`...)
	}
	a.buf = append(b, "}\n"...)
	if len(a.buf) > accessBuffer-4<<10 {
		a.flush()
	}
}

// appendMember appends a string to an object that has something before it.
func appendMember(b []byte, name, value string) []byte {
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":"`...)
	return append(appendEscaped(b, value), '"')
}

func appendEscaped(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			b = append(b, c)
			i++
			continue
		}
		if c < utf8.RuneSelf {
			b = append(b, `\u00`...)
			b = append(b, hex[c>>4], hex[c&15])
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		b = utf8.AppendRune(b, r) // what is no character becomes the one that says so
		i += n
	}
	return b
}

// flush writes what waits. Lines that cannot be written are lost: requests do not wait for a disk.
func (a *accessLog) flush() {
	if len(a.buf) == 0 {
		return
	}
	if a.size >= a.limit {
		a.rotate()
	}
	n, err := a.file.Write(a.buf)
	a.size += int64(n)
	a.buf = a.buf[:0]
	if (err != nil) != a.failed {
		a.failed = err != nil
		if a.failed {
			a.log.Error("the access log cannot be written: lines are lost", "file", a.path, "error", err)
		}
	}
}

// rotate begins a new file. While it cannot, the old one grows.
func (a *accessLog) rotate() {
	for n := accessFiles - 1; n >= 1; n-- {
		from := a.path
		if n > 1 {
			from = a.path + "." + strconv.Itoa(n-1)
		}
		_ = os.Rename(from, a.path+"."+strconv.Itoa(n)) // most do not exist at first
	}
	old := a.file
	if err := a.reopen(); err != nil {
		a.log.Error("the access log cannot begin a new file", "file", a.path, "error", err)
		return
	}
	old.Close()
}

// run flushes regularly until ctx ends.
func (a *accessLog) run(ctx context.Context) {
	if a == nil {
		return
	}
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			a.mu.Lock()
			a.flush()
			a.mu.Unlock()
		}
	}
}

// close writes the last lines: those of requests that are just ending, too.
func (a *accessLog) close(ctx context.Context) {
	if a == nil {
		return
	}
	ended := make(chan struct{})
	go func() { a.open.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.flush()
}
