package process

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform"
)

// A copy writes its log itself, so it goes on while the agent is away. The log is bounded by
// freeing the disk blocks of its old part (a hole in the file): positions in the file never
// change and the copy notices nothing. Where the file system cannot do that, the file is
// emptied, and log.base says how many bytes were in it before.
const (
	logFile  = "log"
	baseFile = "log.base"
	trimTick = 2 * time.Second
	// trimUnit is a multiple of every usual block size: only whole blocks are freed.
	trimUnit = 64 << 10
)

// trimLogs keeps the logs within their limit until the driver closes.
func (d *Driver) trimLogs() {
	tick := time.NewTicker(trimTick)
	defer tick.Stop()
	for {
		select {
		case <-d.done:
			return
		case <-tick.C:
		}
		d.mu.Lock()
		ids := make([]andon.InstanceID, 0, len(d.copies))
		for id := range d.copies {
			ids = append(ids, id)
		}
		d.mu.Unlock()
		for _, id := range ids {
			if err := trimLog(d.home(id), d.config.LogLimit); err != nil && !errors.Is(err, os.ErrNotExist) {
				d.config.Log.Warn("cannot shorten the log of a copy", "copy", id, "error", err)
			}
		}
	}
}

// trimLog frees the old part of a log that takes more than limit bytes.
func trimLog(home string, limit int64) error {
	path := filepath.Join(home, logFile)
	info, err := os.Stat(path)
	if err != nil || info.Size() <= limit {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if info.Size()-firstData(f) <= limit {
		return nil
	}
	cut := (info.Size() - limit/4) / trimUnit * trimUnit
	if cut <= 0 || punchHole(f, cut) == nil {
		return nil
	}
	base, err := readBase(home)
	if err != nil {
		return err
	}
	if err := writeBase(home, base+info.Size()); err != nil {
		return err
	}
	return f.Truncate(0)
}

func readBase(home string) (int64, error) {
	b, err := os.ReadFile(filepath.Join(home, baseFile))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
}

func writeBase(home string, base int64) error {
	path := filepath.Join(home, baseFile)
	if err := os.WriteFile(path+".new", []byte(strconv.FormatInt(base, 10)+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Log implements platform.Platform.
func (d *Driver) Log(ctx context.Context, id andon.InstanceID, offset int64) (platform.LogReader, error) {
	unknown := andon.Errorf(andon.KindNotFound, "there is no copy %s on this host", id)
	d.mu.Lock()
	s := d.copies[id]
	d.mu.Unlock()
	if s == nil {
		return nil, unknown
	}
	if _, started := s.instance(); !started {
		return nil, unknown
	}
	f, err := os.Open(filepath.Join(d.home(id), logFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, unknown
	}
	if err != nil {
		return nil, err
	}
	r := &logReader{home: d.home(id), file: f, next: max(offset, 0)}
	if err := r.settle(); err != nil {
		f.Close()
		return nil, err
	}
	return r, nil
}

// A logReader reads the log of one copy. It implements platform.LogReader.
type logReader struct {
	home string
	file *os.File
	base int64 // of the file's first byte in the log
	next int64 // of the next byte, in the log
}

// settle moves on to where there still is something to read.
func (r *logReader) settle() error {
	base, err := readBase(r.home)
	if err != nil {
		return err
	}
	r.base = base
	start := base + firstData(r.file)
	if r.next >= start {
		return nil
	}
	r.next = start
	if start == base {
		return nil
	}
	// The hole ends within a line: begin with the next whole one.
	buf := make([]byte, trimUnit)
	n, err := r.file.ReadAt(buf, start-base)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	r.next += int64(bytes.IndexByte(buf[:n], '\n') + 1)
	return nil
}

// Read implements platform.LogReader.
func (r *logReader) Read(p []byte) (int, error) {
	info, err := r.file.Stat()
	if err != nil {
		return 0, err
	}
	if r.next-r.base > info.Size() { // it was emptied meanwhile, or the offset lies ahead
		if err := r.settle(); err != nil {
			return 0, err
		}
	} else if behind := info.Size() - (r.next - r.base); behind > trimUnit {
		// Far enough behind that what comes next may have been freed.
		if err := r.settle(); err != nil {
			return 0, err
		}
	}
	if r.next-r.base >= info.Size() {
		return 0, io.EOF
	}
	n, err := r.file.ReadAt(p, r.next-r.base)
	r.next += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

// Offset implements platform.LogReader.
func (r *logReader) Offset() int64 { return r.next }

// Close implements platform.LogReader.
func (r *logReader) Close() error { return r.file.Close() }
