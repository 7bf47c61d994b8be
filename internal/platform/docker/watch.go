package docker

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/andon-cd/andon/internal/platform/copylog"
)

const (
	watchPause = 200 * time.Millisecond // before the Engine is asked again that went away; it doubles
	watchMost  = 3 * time.Second        // up to this
	tendEvery  = 2 * time.Second        // logs are kept within their limit
	askEvery   = 15                     // of those rounds: the Engine is asked what there is, in case an event was lost
)

// watch learns from the Engine which containers end, until the driver closes. Whenever it has
// lost the Engine, it asks for each container afterwards.
func (d *Driver) watch() {
	pause := watchPause
	for d.ctx.Err() == nil {
		began := time.Now()
		err := d.heed()
		if d.ctx.Err() != nil {
			return
		}
		if time.Since(began) > watchMost {
			pause = watchPause // it worked for a while
		}
		d.config.Log.Warn("the container engine is away", "socket", d.config.Socket, "error", err)
		sleep(d.ctx, pause)
		pause = min(2*pause, watchMost)
	}
}

// heed heeds events until the stream of them ends, and says why.
func (d *Driver) heed() error {
	if err := d.engine.negotiate(d.ctx); err != nil {
		return err
	}
	stream, err := d.engine.events(d.ctx, d.ours())
	if err != nil {
		return err
	}
	defer stream.Close()
	if err := d.meet(d.ctx); err != nil { // what happened before the stream began
		return err
	}
	for in := json.NewDecoder(stream); ; {
		var e event
		if err := in.Decode(&e); err != nil {
			return err
		}
		for _, c := range d.all() {
			if c.runs() == e.Actor.ID {
				d.ask(c)
			}
		}
	}
}

// tend does what nothing tells of, until the driver closes.
func (d *Driver) tend() {
	for round := 1; sleep(d.ctx, tendEvery); round++ {
		for _, c := range d.all() {
			if _, err := copylog.Trim(d.home(c.id), d.config.LogLimit); err != nil && !errors.Is(err, os.ErrNotExist) {
				d.config.Log.Warn("cannot shorten the log of a copy", "copy", c.id, "error", err)
			}
		}
		if round%askEvery != 0 {
			continue
		}
		if err := d.meet(d.ctx); err != nil && d.ctx.Err() == nil {
			d.config.Log.Debug("the container engine does not say what there is", "error", err)
		}
	}
}

// runs returns the container of a copy that runs as far as is known, and "" otherwise.
func (c *contained) runs() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.running || c.starting {
		return ""
	}
	return c.record.Container
}

func (d *Driver) askAll() {
	for _, c := range d.all() {
		d.ask(c)
	}
}

// ask asks whether the container of a running copy still runs.
func (d *Driver) ask(c *contained) {
	id := c.runs()
	if id == "" {
		return
	}
	found, err := d.engine.inspect(d.ctx, id)
	switch {
	case refusedWith(err, http.StatusNotFound):
		d.ended(c, id, exitRemoved)
	case err != nil:
		return // the stream of events ends too, and all are asked again
	case !found.State.Running:
		d.ended(c, id, exitText(found))
	}
}

// ended notes that a container of a copy has ended, and tells of it if nobody meant it to.
func (d *Driver) ended(c *contained, id, how string) {
	c.mu.Lock()
	if !c.running || c.starting || c.record.Container != id {
		c.mu.Unlock()
		return
	}
	c.running, c.record.Exit = false, how
	rec, ending := c.record, c.ending
	c.mu.Unlock()
	d.save(rec)
	if ending {
		return
	}
	select {
	case d.exits <- c.id:
	default: // List has it
	}
}

// sleep waits for a time, and returns false if ctx ends before it is over.
func sleep(ctx context.Context, t time.Duration) bool {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
