package docker

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// logPatience is how long an end waits for the last of a copy's log, which the Engine has.
const logPatience = 10 * time.Second

// End implements platform.Platform.
func (d *Driver) End(ctx context.Context, id andon.InstanceID, grace time.Duration) error {
	ctx, cancel := d.during(ctx)
	defer cancel()
	c, release, err := d.turn(ctx, id)
	if err != nil {
		return err
	}
	defer release()
	return d.end(ctx, c, id, grace)
}

// Stop implements platform.Platform.
func (d *Driver) Stop(ctx context.Context, id andon.InstanceID, grace time.Duration) error {
	ctx, cancel := d.during(ctx)
	defer cancel()
	c, release, err := d.turn(ctx, id)
	if err != nil {
		return err
	}
	defer release()
	if err := d.end(ctx, c, id, grace); err != nil {
		return err
	}
	if !id.Valid() {
		return nil
	}
	if err := d.discard(ctx, d.name(id)); err != nil {
		return told(err, "copy "+string(id)+" is stopped, and its container cannot be removed")
	}
	d.forget(id)
	return nil
}

// discard removes a container that does not run. One that the Engine cannot remove now, mostly
// because somebody else still has its files mounted, is put aside, so that it holds nothing up;
// it is removed later.
func (d *Driver) discard(ctx context.Context, id string) error {
	failed := d.engine.remove(ctx, id)
	if _, refused := errors.AsType[*refusal](failed); !refused {
		return failed
	}
	found, err := d.engine.inspect(ctx, id)
	if refusedWith(err, http.StatusNotFound) {
		return nil
	}
	if err != nil || found.State.Running {
		return failed
	}
	if err := d.engine.rename(ctx, found.ID, d.name("left")+"-"+found.ID[:min(12, len(found.ID))]); err != nil {
		return failed
	}
	d.config.Log.Warn("a container cannot be removed, and is put aside for now", "container", found.ID, "error", failed)
	return nil
}

// end ends the container of that ID, which may be one that no copy is known of: a start that
// was cut off. The caller has its turn.
func (d *Driver) end(ctx context.Context, c *contained, id andon.InstanceID, grace time.Duration) error {
	if !id.Valid() {
		return nil // no container has its name
	}
	if c != nil {
		c.meant(true)
	}
	found, err := d.engine.inspect(ctx, d.name(id))
	switch {
	case refusedWith(err, http.StatusNotFound):
		if c != nil {
			d.ended(c, c.runs(), exitRemoved)
		}
		return nil
	case err == nil && found.neverRan():
		err = d.engine.remove(ctx, found.ID)
		if err == nil {
			return nil
		}
	case err == nil:
		if c == nil || c.container() != found.ID {
			c = d.attach(found)
			c.meant(true)
		}
		err = d.endContainer(ctx, c, found, grace)
	}
	if err != nil {
		if c != nil {
			c.meant(false) // if it ends after all, it ends by itself
		}
		return told(err, "copy "+string(id)+" cannot be ended")
	}
	return d.awaitLog(ctx, c)
}

// endContainer ends the container of a copy, and notes how it ended.
func (d *Driver) endContainer(ctx context.Context, c *contained, found container, grace time.Duration) error {
	if found.State.Running {
		if err := d.terminate(ctx, found, grace); err != nil {
			return err
		}
		after, err := d.engine.inspect(ctx, found.ID)
		if err != nil {
			return err
		}
		found = after
	}
	d.ended(c, found.ID, exitText(found))
	return nil
}

// meant notes whether somebody is ending the copy.
func (c *contained) meant(ending bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ending = ending
}

func (c *contained) container() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.record.Container
}

// terminate asks a container to end, and kills it after grace. When it returns nil, nothing of
// it runs any more: all of its processes end with the first.
func (d *Driver) terminate(ctx context.Context, of container, grace time.Duration) error {
	signal := "SIGTERM"
	if of.Config.StopSignal != "" {
		signal = of.Config.StopSignal // what its image asks for
	}
	if grace > 0 {
		if err := d.engine.kill(ctx, of.ID, signal); err != nil {
			return err
		}
		overdue, cancel := context.WithTimeout(ctx, grace)
		defer cancel()
		err := d.engine.wait(overdue, of.ID)
		if overdue.Err() == nil || ctx.Err() != nil {
			return err
		}
	}
	if err := d.engine.kill(ctx, of.ID, "SIGKILL"); err != nil {
		return err
	}
	return d.engine.wait(ctx, of.ID)
}

// awaitLog waits until the log has all that an ended copy wrote.
func (d *Driver) awaitLog(ctx context.Context, c *contained) error {
	c.mu.Lock()
	logged := c.logged
	c.mu.Unlock()
	if logged == nil {
		return nil
	}
	timer := time.NewTimer(logPatience)
	defer timer.Stop()
	select {
	case <-logged:
	case <-timer.C:
		d.config.Log.Warn("the end of a copy's log is missing: the container engine does not give it", "copy", c.id)
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
