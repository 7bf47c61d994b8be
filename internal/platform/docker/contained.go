package docker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform"
)

// A contained is what the driver knows of one copy.
type contained struct {
	id andon.InstanceID

	mu       sync.Mutex
	record   record
	running  bool
	starting bool          // its container may have ended already: who starts it finds out
	before   *contained    // what the copy is while its container is starting; nil: nothing
	ending   bool          // somebody is ending it: no exit is delivered
	logged   chan struct{} // closed when all that its container wrote is in the log; nil: no container
}

// instance returns the copy as the contract has it; false while its first start may still fail.
func (c *contained) instance() (platform.Instance, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.starting && c.before == nil {
		return platform.Instance{}, false
	}
	if c.starting {
		return c.before.instance()
	}
	r := c.record
	inst := platform.Instance{
		ID: r.ID, Artifact: r.Artifact, Config: r.Config, Address: r.Address,
		Running: c.running, Started: r.Started,
	}
	if !c.running {
		inst.Exit = r.Exit
	}
	return inst, true
}

// turn returns when the caller may start or end the copy of that ID, what ends that turn, and
// the copy; nil if there is none.
func (d *Driver) turn(ctx context.Context, id andon.InstanceID) (*contained, func(), error) {
	release, err := d.turns.take(ctx, turnOf(id))
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closed: // which is also what cut the waiting off, should it have been
		if err == nil {
			release()
		}
		return nil, nil, andon.Errorf(andon.KindUnavailable, "the agent is shutting down")
	case err != nil:
		return nil, nil, err
	}
	return d.copies[id], release, nil
}

func turnOf(id andon.InstanceID) string { return "copy " + string(id) }

// copy returns the copy of that ID, nil if there is none.
func (d *Driver) copy(id andon.InstanceID) *contained {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.copies[id]
}

// know makes a copy known. The caller has its turn.
func (d *Driver) know(c *contained) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.copies[c.id] = c
}

// forget drops a copy with its log. The caller has its turn.
func (d *Driver) forget(id andon.InstanceID) {
	d.mu.Lock()
	delete(d.copies, id)
	d.mu.Unlock()
	// The record goes first: a directory without one is removed by the next Open.
	err := os.Remove(filepath.Join(d.home(id), recordFile))
	if err == nil || errors.Is(err, os.ErrNotExist) {
		err = os.RemoveAll(d.home(id))
	}
	if err != nil {
		d.config.Log.Warn("cannot remove the directory of a stopped copy", "copy", id, "error", err)
	}
}

// recall makes the copies known that earlier drivers have recorded, as what they were.
func (d *Driver) recall() error {
	entries, err := os.ReadDir(filepath.Join(d.config.Dir, copiesDir))
	if err != nil {
		return fmt.Errorf("docker: %w", err)
	}
	for _, e := range entries {
		id := andon.InstanceID(e.Name())
		if !e.IsDir() || !id.Valid() {
			continue
		}
		rec, err := readRecord(d.home(id))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("docker: the record of copy %s cannot be read: %w", id, err)
		}
		if err != nil {
			d.forget(id) // its start or its stop was cut off
			continue
		}
		d.know(&contained{id: id, record: rec, running: rec.Exit == ""})
	}
	return nil
}

// meet makes the Engine's acquaintance, or renews it, and takes from it what there is.
func (d *Driver) meet(ctx context.Context) error {
	if err := d.engine.negotiate(ctx); err != nil {
		return err
	}
	found, err := d.engine.list(ctx, d.ours())
	if err != nil {
		return err
	}
	for _, c := range found {
		if err := d.adopt(ctx, c); err != nil {
			return err
		}
	}
	d.askAll()
	return nil
}

// adopt makes a container known that is there, unless it is already. Who is about to start or end
// the copy sees to its container.
func (d *Driver) adopt(ctx context.Context, there listed) error {
	instance := andon.InstanceID(there.Labels[labelInstance])
	release, free := d.turns.try(turnOf(instance))
	if !free {
		return nil
	}
	defer release()
	c := d.copy(instance)
	found, err := d.engine.inspect(ctx, there.ID)
	if refusedWith(err, http.StatusNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case !instance.Valid() || found.neverRan() || strings.TrimPrefix(found.Name, "/") != d.name(instance):
		if err := d.engine.remove(ctx, found.ID); err != nil { // a start was cut off, or it was put aside
			d.config.Log.Debug("a container cannot be removed yet", "container", found.ID, "error", err)
		}
		return nil
	case c == nil || c.container() != found.ID || found.State.Running && c.runs() == "":
		d.attach(found)
	case !c.followed():
		d.follow(c)
	}
	return nil
}

// followed reports whether the log of the copy's container is, or was, copied by this driver.
func (c *contained) followed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.logged != nil
}

// attach makes a container that was started the copy's, and follows its log. It returns the
// copy. The caller has its turn.
func (d *Driver) attach(found container) *contained {
	labels := found.Config.Labels
	c := &contained{
		id: andon.InstanceID(labels[labelInstance]), running: found.State.Running,
		record: record{
			ID: andon.InstanceID(labels[labelInstance]), Artifact: andon.Digest(labels[labelArtifact]),
			Config: andon.ConfigHash(labels[labelConfig]), Address: labels[labelAddress],
			Container: found.ID, Started: found.State.StartedAt.UTC(),
		},
	}
	if !c.running {
		c.record.Exit = exitText(found)
	}
	if err := os.MkdirAll(d.home(c.id), 0o700); err != nil {
		d.config.Log.Warn("cannot make the directory of a copy", "copy", c.id, "error", err)
	}
	d.save(c.record)
	d.know(c)
	d.follow(c)
	return c
}

// save writes a record down. Without it only a copy whose container is gone would be unknown.
func (d *Driver) save(r record) {
	if err := writeRecord(d.home(r.ID), r); err != nil {
		d.config.Log.Warn("cannot record a copy", "copy", r.ID, "error", err)
	}
}
