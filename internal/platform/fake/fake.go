// Package fake is a platform in memory: copies that run nothing, on a host that a test can
// look into and disturb. It waits only on time and channels, so it works in a testing/synctest
// bubble. It passes the conformance suite.
package fake

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform"
)

// The programs that a copy's command may name. Every other one is not found.
const (
	Forever  = "forever"  // runs until it is asked to end
	Stubborn = "stubborn" // runs until it is killed
	Exit     = "exit"     // ends at once with the status of its argument
	Print    = "print"    // writes its argument to its log and runs until it is asked to end
)

// A Host is the machine: what runs on it outlives each Platform.
type Host struct {
	mu     sync.Mutex
	copies map[andon.InstanceID]*copyOf
	starts []platform.Spec
	refuse error
	open   *Platform
}

type copyOf struct {
	spec    platform.Spec
	running bool
	started time.Time
	exit    string
	log     []byte
}

// NewHost returns a host on which nothing runs.
func NewHost() *Host { return &Host{copies: make(map[andon.InstanceID]*copyOf)} }

// Open returns a platform over what runs on the host. One at a time may be open.
func (h *Host) Open() *Platform {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = &Platform{host: h, exits: make(chan andon.InstanceID, 256)}
	return h.open
}

// Kill ends a copy as if by itself, and says how.
func (h *Host) Kill(id andon.InstanceID, how string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.copies[id]; c != nil && c.running {
		h.end(c, how)
	}
}

// end notes that a copy ended by itself. The caller holds mu.
func (h *Host) end(c *copyOf, how string) {
	c.running, c.exit = false, how
	if h.open != nil {
		select {
		case h.open.exits <- c.spec.ID:
		default: // List has it
		}
	}
}

// Refuse makes every further Start fail with an error; nil: not any more.
func (h *Host) Refuse(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refuse = err
}

// Starts returns the specification of every process that was started, in order.
func (h *Host) Starts() []platform.Spec {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.starts)
}

// Running returns the IDs of the copies that run, in order.
func (h *Host) Running() []andon.InstanceID {
	h.mu.Lock()
	defer h.mu.Unlock()
	var ids []andon.InstanceID
	for id, c := range h.copies {
		if c.running {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// A Platform runs copies on a Host. It implements platform.Platform.
type Platform struct {
	host  *Host
	exits chan andon.InstanceID
}

var _ platform.Platform = (*Platform)(nil)

// Start implements platform.Platform.
func (p *Platform) Start(ctx context.Context, spec platform.Spec) (platform.Instance, error) {
	h := p.host
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.copies[spec.ID]
	if c != nil && c.running {
		return c.instance(), nil
	}
	if h.refuse != nil {
		return platform.Instance{}, h.refuse
	}
	if spec.ID == "" || len(spec.Command) == 0 {
		return platform.Instance{}, andon.Errorf(andon.KindInvalid, "the copy has no ID or no command")
	}
	if !slices.Contains([]string{Forever, Stubborn, Exit, Print}, spec.Command[0]) {
		return platform.Instance{}, andon.Errorf(andon.KindNotFound, "command not found: %s", spec.Command[0])
	}
	if c == nil {
		c = &copyOf{}
		h.copies[spec.ID] = c
	}
	c.spec, c.running, c.started, c.exit = spec, true, time.Now(), ""
	h.starts = append(h.starts, spec)
	started := c.instance()
	switch spec.Command[0] {
	case Stubborn:
		c.log = append(c.log, "up\n"...)
	case Print:
		c.log = append(c.log, strings.Join(spec.Command[1:], " ")...)
	case Exit:
		h.end(c, "exit status "+strings.Join(spec.Command[1:], " "))
	}
	return started, nil
}

// End implements platform.Platform.
func (p *Platform) End(ctx context.Context, id andon.InstanceID, grace time.Duration) error {
	h := p.host
	h.mu.Lock()
	c := h.copies[id]
	stubborn := c != nil && c.running && c.spec.Command[0] == Stubborn
	h.mu.Unlock()
	how := "killed by SIGTERM"
	if stubborn {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		how = "killed by SIGKILL"
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if c != nil && c.running {
		c.running, c.exit = false, how
	}
	return nil
}

// Stop implements platform.Platform.
func (p *Platform) Stop(ctx context.Context, id andon.InstanceID, grace time.Duration) error {
	if err := p.End(ctx, id, grace); err != nil {
		return err
	}
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	delete(p.host.copies, id)
	return nil
}

// List implements platform.Platform.
func (p *Platform) List(ctx context.Context) ([]platform.Instance, error) {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	list := make([]platform.Instance, 0, len(p.host.copies))
	for _, c := range p.host.copies {
		list = append(list, c.instance())
	}
	slices.SortFunc(list, func(a, b platform.Instance) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return list, nil
}

// Exits implements platform.Platform.
func (p *Platform) Exits() <-chan andon.InstanceID { return p.exits }

// Log implements platform.Platform.
func (p *Platform) Log(ctx context.Context, id andon.InstanceID, offset int64) (platform.LogReader, error) {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	c := p.host.copies[id]
	if c == nil {
		return nil, andon.Errorf(andon.KindNotFound, "there is no copy %s on this host", id)
	}
	return &logReader{host: p.host, of: c, next: max(offset, 0)}, nil
}

// Close implements platform.Platform.
func (p *Platform) Close() error {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	if p.host.open == p {
		p.host.open = nil
	}
	return nil
}

// instance returns the copy as the contract has it. The caller holds the host's mu.
func (c *copyOf) instance() platform.Instance {
	return platform.Instance{
		ID: c.spec.ID, Artifact: c.spec.Artifact, Config: c.spec.Config, Address: c.spec.Address,
		Running: c.running, Started: c.started, Exit: c.exit,
	}
}

// Write appends to what a copy has written to its log.
func (h *Host) Write(id andon.InstanceID, format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.copies[id]; c != nil {
		c.log = fmt.Appendf(c.log, format, args...)
	}
}

type logReader struct {
	host *Host
	of   *copyOf
	next int64
}

func (r *logReader) Read(p []byte) (int, error) {
	r.host.mu.Lock()
	defer r.host.mu.Unlock()
	if r.next >= int64(len(r.of.log)) {
		return 0, io.EOF
	}
	n := copy(p, r.of.log[r.next:])
	r.next += int64(n)
	return n, nil
}

func (r *logReader) Offset() int64 { return r.next }

func (r *logReader) Close() error { return nil }
