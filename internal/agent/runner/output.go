package runner

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// outputBuffer is how much is read at once; the log's writer gets pieces of about that size.
	outputBuffer = 256 << 10
	// maxOutput bounds what one task may write to its log, in bytes. The rest is dropped, since
	// one endless loop must not fill the disk that all services share.
	maxOutput = 2 << 30
	// lastOutput is how long output is waited for after all processes of a task are dead: one that
	// could not be found may hold the pipe open, and go on writing.
	lastOutput = time.Second
	// maxLastOutput bounds what is read then, in bytes: more than a pipe can hold.
	maxLastOutput = 1 << 20
)

// An output carries what the processes of a task write, in order, to its log: all of them have
// the same pipe as their standard output and error.
type output struct {
	write   *os.File
	read    *os.File
	closing atomic.Bool
	done    chan struct{}
}

// startOutput makes the pipe and begins to copy; close ends it.
func startOutput(log io.Writer) (*output, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe for the output: %w", err)
	}
	widen(write)
	o := &output{write: write, read: read, done: make(chan struct{})}
	go func() {
		defer close(o.done)
		o.copy(log)
	}()
	return o, nil
}

// copy copies until the pipe ends. When the log cannot be kept, or has become too long, it goes on
// reading, so that no process blocks.
func (o *output) copy(log io.Writer) {
	lines, written := &lineStarts{to: log, atStart: true}, 0
	buffer := make([]byte, outputBuffer)
	var deadline time.Time // once all processes are dead
	for late := 0; late < maxLastOutput; {
		n, err := o.read.Read(buffer)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			n = held(o.read, buffer) // the host may have stood still since
		}
		began := time.Now()
		if n > 0 && written < maxOutput {
			if _, failed := lines.Write(buffer[:n]); failed != nil {
				written = maxOutput
			} else if written += n; written >= maxOutput {
				fmt.Fprintf(log, "\nandon: the output is longer than %d bytes: the rest is dropped\n", maxOutput)
			}
		}
		if err != nil {
			return
		}
		if o.closing.Load() {
			// A slow log does not count: what is in the pipe still belongs to the task.
			if deadline.IsZero() {
				deadline = time.Now().Add(lastOutput)
			} else {
				deadline = deadline.Add(time.Since(began))
			}
			late += n
			_ = o.read.SetReadDeadline(deadline)
		}
	}
}

// held reads what a pipe holds at this moment, as much as fits into the buffer, also when the time
// to read is over.
func held(pipe *os.File, buffer []byte) (n int) {
	conn, err := pipe.SyscallConn()
	if err != nil {
		return 0
	}
	_ = conn.Control(func(fd uintptr) { n, _ = syscall.Read(int(fd), buffer) }) // -1: nothing
	return max(n, 0)
}

// lineStart is written before a line of Andon's own. In the log it becomes a line break, unless a
// line begins there already; so does the same byte in what a step writes.
const lineStart = 0

// mark writes a line of Andon's own, after all that was written before.
func (o *output) mark(line string) {
	line = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, line)
	// The pipe breaks only when the reader is gone, and nobody reads the log then.
	_, _ = o.write.WriteString(string(rune(lineStart)) + line + "\n")
}

// close returns when everything that was written has reached the log.
func (o *output) close() {
	o.write.Close()
	o.closing.Store(true)
	if err := o.read.SetReadDeadline(time.Now().Add(lastOutput)); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		o.read.Close()
	}
	<-o.done
	o.read.Close()
}

// lineStarts turns each lineStart into a line break where no line begins anyway.
type lineStarts struct {
	to      io.Writer
	atStart bool
}

func (l *lineStarts) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		i := bytes.IndexByte(rest, lineStart)
		piece := rest
		if i >= 0 {
			piece = rest[:i]
		}
		if len(piece) > 0 {
			l.atStart = piece[len(piece)-1] == '\n'
			if _, err := l.to.Write(piece); err != nil {
				return 0, err
			}
		}
		if i < 0 {
			break
		}
		if !l.atStart {
			l.atStart = true
			if _, err := l.to.Write([]byte("\n")); err != nil {
				return 0, err
			}
		}
		rest = rest[i+1:]
	}
	return len(p), nil
}
