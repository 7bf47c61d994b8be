package agent

import (
	"context"
	"fmt"
	"sync"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform"
)

// A fleet is the copies of this host, each with a keeper.
type fleet struct {
	agent *Agent
	ports *ports
	parts sync.WaitGroup // the keepers' goroutines

	mu      sync.Mutex
	keepers map[andon.InstanceID]*keeper
	// found is what an earlier agent started and nobody keeps yet.
	found map[andon.InstanceID]foundCopy
	// served is the copies that had traffic when this agent began: they were healthy.
	served map[andon.InstanceID]bool
}

// A foundCopy is a copy that an earlier agent started.
type foundCopy struct {
	platform.Instance
	on string // the platform's name
}

// adopt finds what runs already.
func (f *fleet) adopt(ctx context.Context) error {
	locks, err := openPortLocks()
	if err != nil {
		// Whether a port is free, only who listens there tells then.
		f.agent.config.Log.Warn("ports cannot be reserved among the agents of this host", "error", err)
	}
	f.ports.hold(locks)
	f.found = make(map[andon.InstanceID]foundCopy)
	f.served = make(map[andon.InstanceID]bool)
	for name, p := range f.agent.config.Platforms {
		list, err := p.List(ctx)
		if err != nil {
			return fmt.Errorf("the copies on this host (platform %s) cannot be listed: %w", name, err)
		}
		for _, inst := range list {
			f.found[inst.ID] = foundCopy{inst, name}
			f.ports.reserve(inst.ID, inst.Address)
		}
	}
	if f.agent.config.Traffic == nil {
		return nil
	}
	state, err := f.agent.config.Traffic.State(ctx)
	if err != nil {
		// The copies show by their first probe, within moments, whether they are well; no route
		// is touched before the proxy has told its state.
		f.agent.config.Log.Warn("the proxy does not tell what it does", "error", err)
		return nil
	}
	for _, r := range state.Routes {
		for _, id := range r.Targets {
			inst, here := f.found[id]
			f.served[id] = inst.Running
			if !here {
				f.agent.lookout.served[id] = true
			}
		}
	}
	return nil
}

// converge gives every copy that should be here a keeper. Only the router calls it.
func (f *fleet) converge(ctx context.Context, desired []andon.Desired) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range desired {
		for _, c := range d.Copies {
			if c.Agent != f.agent.config.Name || f.keepers[c.ID] != nil {
				continue
			}
			f.keep(ctx, newKeeper(f, d.Place, c, f.found[c.ID].Instance, f.served[c.ID]))
			delete(f.found, c.ID)
			delete(f.served, c.ID)
		}
	}
}

// retire ends the copies that should not be here any more and that no route names. Copies that
// nobody knows are ended only once the server has said what it wants. Only the router calls it.
func (f *fleet) retire(ctx context.Context, desired []andon.Desired, told bool) {
	wanted := make(map[andon.InstanceID]bool)
	for _, d := range desired {
		for _, c := range d.Copies {
			wanted[c.ID] = c.Agent == f.agent.config.Name
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, k := range f.keepers {
		if !wanted[id] {
			k.retire()
		}
	}
	if !told {
		return
	}
	for id, inst := range f.found {
		delete(f.found, id)
		c := andon.Copy{ID: id, Agent: f.agent.config.Name, Artifact: inst.Artifact, Config: inst.Config}
		c.Spec.Stop, c.Spec.Platform = andon.DefaultStop, inst.on
		k := newKeeper(f, andon.Place{}, c, inst.Instance, false)
		f.keep(ctx, k)
		k.retire()
	}
}

// admit lets a copy begin on this host, once: within what one service may have here, and only
// while there is room on the disk. A copy that ran here before is always let.
func (f *fleet) admit(k *keeper) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if k.begun {
		return nil
	}
	most, have := f.agent.config.Copies, 0
	for _, other := range f.keepers {
		if other.begun && other.place.Service == k.place.Service {
			have++
		}
	}
	if have >= most {
		return andon.Errorf(andon.KindRefused, "copy %s is not started: %s has %d copies on this host already, as many as one service may have", k.copy.ID, k.place.Service, have).
			WithHint("Spread the copies over more hosts, or let andon.yaml ask for fewer instances.")
	}
	room, err := readDisk(f.agent.config.Dir)
	if err == nil {
		err = room.roomFor(k.copy.ID, f.agent.config.Dir)
	}
	if err != nil {
		return err
	}
	k.begun = true
	return nil
}

// keep lets a keeper work. The caller holds mu.
func (f *fleet) keep(ctx context.Context, k *keeper) {
	f.keepers[k.copy.ID] = k
	k.wanted, k.retire = context.WithCancel(ctx)
	f.parts.Go(func() {
		defer k.retire()
		defer k.log.end()
		if !k.run(ctx) {
			return
		}
		f.mu.Lock()
		delete(f.keepers, k.copy.ID)
		f.mu.Unlock()
		f.ports.release(k.copy.ID, k.address)
		f.agent.router.wake.raise() // it may be wanted again meanwhile
	})
}

// heedExits tells the keepers at once when their copies on one platform end.
func (f *fleet) heedExits(ctx context.Context, exits <-chan andon.InstanceID) {
	for {
		select {
		case <-ctx.Done():
			return
		case id := <-exits:
			f.mu.Lock()
			k := f.keepers[id]
			f.mu.Unlock()
			if k != nil {
				k.poke.raise()
			}
		}
	}
}

// all returns the keepers there are now.
func (f *fleet) all() []*keeper {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]*keeper, 0, len(f.keepers))
	for _, k := range f.keepers {
		list = append(list, k)
	}
	return list
}

// keeper returns the keeper of a copy, nil if there is none.
func (f *fleet) keeper(id andon.InstanceID) *keeper {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.keepers[id]
}
