package docker

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform"
	"github.com/andon-cd/andon/internal/platform/copylog"
)

// The Engine keeps what a container writes, in files that it bounds, also while no agent is
// there. The driver copies it from there into the copy's own log, whose offsets go on when the
// copy gets its next container. It remembers which entry it copied last, so that it goes on
// behind that one: nothing is missing or there twice, unless the Engine has dropped it.
const (
	placeEvery  = time.Second            // how often the place is written while a log grows
	followPause = 500 * time.Millisecond // before a log is asked for again
	lastTries   = 5                      // for the end of an ended container's log
)

// gap is written where the Engine has dropped entries before they were copied.
const gap = "[a part of this log is gone: the container engine did not keep it]\n"

// logConfig is how the Engine keeps logs: 32 MiB of each container, as bytes that are not changed.
func (v engineVersion) logConfig() logConfig {
	if v.has(componentPodman) {
		return logConfig{Type: "k8s-file", Config: map[string]string{"max-size": "32m"}}
	}
	return logConfig{Type: "local", Config: map[string]string{"max-size": "8m", "max-file": "4", "compress": "false"}}
}

// Log implements platform.Platform.
func (d *Driver) Log(ctx context.Context, id andon.InstanceID, offset int64) (platform.LogReader, error) {
	unknown := andon.Errorf(andon.KindNotFound, "there is no copy %s on this host", id)
	if d.copy(id) == nil {
		return nil, unknown
	}
	r, err := copylog.Open(d.home(id), offset)
	if errors.Is(err, os.ErrNotExist) {
		return nil, unknown // it has not begun yet
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// follow begins to copy the log of a copy's container. The copy is known, and nobody follows.
func (d *Driver) follow(c *contained) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return // the next driver does
	}
	file, err := copylog.Append(d.home(c.id))
	if err != nil {
		d.config.Log.Warn("the log of a copy cannot be kept", "copy", c.id, "error", err)
		return
	}
	f := &follower{driver: d, home: d.home(c.id), file: file, out: bufio.NewWriterSize(file, 64<<10)}
	c.mu.Lock()
	c.logged = make(chan struct{})
	logged, container := c.logged, c.record.Container
	c.mu.Unlock()
	d.tasks.Go(func() {
		defer close(logged)
		defer file.Close()
		if err := f.run(d.ctx, container); err != nil && d.ctx.Err() == nil {
			d.config.Log.Warn("the end of a copy's log is missing", "copy", c.id, "error", err)
		}
	})
}

// A follower copies the log of one container. Its goroutine owns it.
type follower struct {
	driver *Driver
	home   string
	file   *os.File
	out    *bufio.Writer
	at     place
	noted  time.Time // when at was written to disk
	ahead  int64     // bytes behind at that the copy's log has already
	known  int64     // bytes of the Engine's log when all of it was last read
}

// run copies until the container has ended and all that it wrote is copied, or ctx ends.
func (f *follower) run(ctx context.Context, container string) error {
	for failed := 0; ctx.Err() == nil; {
		err := f.catchUp(ctx, container)
		if err == nil {
			err = f.pass(ctx, true)
		}
		c, asked := f.driver.engine.inspect(ctx, container)
		switch {
		case refusedWith(asked, http.StatusNotFound):
			return nil
		case asked == nil && !c.State.Running:
			// What came last while it was followed need not be all.
			if err == nil {
				err = f.catchUp(ctx, container)
			}
			if failed++; err == nil || failed == lastTries {
				return err
			}
		case err != nil:
			f.driver.config.Log.Debug("the log of a copy is asked for again", "container", container, "error", err)
		}
		sleep(ctx, followPause)
	}
	return nil
}

// errDropped says that the entry that was copied last is gone.
var errDropped = errors.New("docker: the engine has dropped what was to be copied next")

// catchUp copies what the Engine has now, from where the files say that the copying is.
func (f *follower) catchUp(ctx context.Context, container string) error {
	end, err := copylog.End(f.home)
	if err != nil {
		return err
	}
	f.out.Reset(f.file)
	f.at = readPlace(f.home, container, end)
	f.ahead = max(end-f.at.End, 0)
	if err = f.pass(ctx, false); !errors.Is(err, errDropped) {
		return err
	}
	// All that is left came later.
	if _, err := f.file.WriteString(gap); err != nil {
		return err
	}
	f.at = place{Container: container, End: end + int64(len(gap))}
	f.ahead = 0
	if err := writePlace(f.home, f.at); err != nil {
		return err
	}
	return f.pass(ctx, false)
}

// pass copies entries behind the place, until the log ends; with follow, until its writer does.
func (f *follower) pass(ctx context.Context, follow bool) (err error) {
	stream, err := f.driver.engine.logs(ctx, f.at.Container, follow)
	if err != nil {
		return err
	}
	defer stream.Close()
	defer func() { err = errors.Join(err, f.note()) }()

	in, read := newFrames(stream), int64(0)
	seeking, cursor := f.at.Time != "", place{}
	for {
		e, err := in.next()
		if errors.Is(err, io.EOF) {
			if seeking {
				return errDropped
			}
			f.known = read
			return nil
		}
		if err != nil {
			return err
		}
		read += int64(len(e.text))
		if seeking {
			cursor = cursor.after(e)
			seeking = !cursor.same(f.at)
			if seeking && follow && read > f.known {
				return errDropped // since it was there a moment ago
			}
			continue
		}
		if err := f.write(e); err != nil {
			return err
		}
		switch {
		case time.Since(f.noted) > placeEvery:
			err = f.note()
		case in.idle():
			err = f.out.Flush()
		}
		if err != nil {
			return err
		}
	}
}

// write appends an entry to the copy's log, but for what that has already.
func (f *follower) write(e entry) error {
	f.at = f.at.after(e)
	skip := min(f.ahead, int64(len(e.text)))
	f.ahead -= skip
	_, err := f.out.Write(e.text[skip:])
	return err
}

// note writes down how far the log is copied.
func (f *follower) note() error {
	if err := f.out.Flush(); err != nil {
		return err
	}
	f.noted = time.Now()
	return writePlace(f.home, f.at)
}
