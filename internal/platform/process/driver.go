// Package process runs copies as supervised processes on this host.
//
// A copy is a session of its own (setsid), so that it outlives the agent and can be ended
// with all its children. Its record (specification, process ID, start time and boot of the
// machine) is on disk before the program of the copy runs: the child waits on a pipe until
// then, and exits if the pipe closes. A crash at any point therefore leaves no process that
// List does not know.
//
// The limits of a specification are kept by package confine, from before the program runs. A
// copy whose limits this host cannot keep is not started.
package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform"
	"github.com/andon-cd/andon/internal/platform/copylog"
	"github.com/andon-cd/andon/internal/platform/process/confine"
)

// Config says where a Driver keeps its copies and where their artifacts come from.
type Config struct {
	// Dir holds one directory for each copy: its record, its log and its TMPDIR. It is made
	// with mode 0700 if it does not exist. One Driver at a time uses it.
	Dir string
	// Artifacts returns the directory of an unpacked and verified artifact, which becomes the
	// copies' working directory. Its errors are returned by Start as they are.
	Artifacts func(ctx context.Context, service andon.ServiceName, digest andon.Digest) (dir string, err error)
	// Environ is what every copy has in its environment beneath its own: PATH, HOME, LANG and
	// USER. Nil: those that this process has.
	Environ map[string]string
	// Warden keeps the limits of copies. Nil: what this host has for it.
	Warden confine.Warden
	// LogLimit bounds the bytes that the log of one copy takes on disk, but for what it writes
	// within half a second. When it is passed, the newest quarter is kept. 0: copylog.DefaultLimit.
	LogLimit int64
	// Area bounds the bytes that a copy may write, in one life, into its TMPDIR and below the
	// directory that it runs in. 0: DefaultArea.
	Area int64
	Log  *slog.Logger // nil: nothing is logged
}

// exitsBuffered is how many exits wait for a reader before further ones are only in List.
const exitsBuffered = 256

// A Driver runs copies as processes of this host. It implements platform.Platform.
type Driver struct {
	config Config
	exits  chan andon.InstanceID
	done   chan struct{}  // closed by Close
	tasks  sync.WaitGroup // the watchers
	// beforeStep is called between the steps of a launch; tests crash there.
	beforeStep func(step string)

	mu     sync.Mutex
	copies map[andon.InstanceID]*supervised
	closed bool
}

var _ platform.Platform = (*Driver)(nil)

// Open returns a driver over the directory, and adopts the copies that run from it. The
// goroutines that it starts end with Close.
func Open(config Config) (*Driver, error) {
	if config.Artifacts == nil {
		return nil, errors.New("process: Config.Artifacts is not set")
	}
	dir, err := filepath.Abs(config.Dir)
	if err != nil {
		return nil, fmt.Errorf("process: %w", err)
	}
	config.Dir = dir
	if config.LogLimit == 0 {
		config.LogLimit = copylog.DefaultLimit
	}
	if config.Area == 0 {
		config.Area = DefaultArea
	}
	if config.Environ == nil {
		config.Environ = ownBasics()
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.Warden == nil {
		config.Warden = confine.For(dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("process: %w", err)
	}
	d := &Driver{
		config:     config,
		exits:      make(chan andon.InstanceID, exitsBuffered),
		done:       make(chan struct{}),
		copies:     make(map[andon.InstanceID]*supervised),
		beforeStep: func(string) {},
	}
	if err := d.adopt(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	d.tasks.Go(d.trimLogs)
	d.tasks.Go(d.watchAreas)
	return d, nil
}

// adopt finds what earlier drivers started from the directory.
func (d *Driver) adopt() error {
	entries, err := os.ReadDir(d.config.Dir)
	if err != nil {
		return fmt.Errorf("process: %w", err)
	}
	for _, e := range entries {
		id := andon.InstanceID(e.Name())
		if !e.IsDir() || !id.Valid() {
			continue
		}
		rec, err := readRecord(d.home(id))
		if errors.Is(err, os.ErrNotExist) {
			// The launch was cut off before there was a record, so nothing of it runs; or a
			// stop was cut off after the record was gone, and nothing runs either.
			if err := os.RemoveAll(d.home(id)); err != nil {
				d.config.Log.Warn("cannot remove the rest of a copy", "copy", id, "error", err)
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("process: the record of copy %s cannot be read: %w", id, err)
		}
		s := newSupervised(id)
		s.record = &rec
		d.copies[id] = s
		if rec.Exit != "" {
			continue
		}
		p, err := openProc(rec.Process)
		if err != nil {
			s.record.Exit = endedUnseen(rec.Process)
			continue
		}
		if p.hasEnded() {
			s.record.Exit = p.reap()
			p.close()
			continue
		}
		s.cell = d.config.Warden.Find(id, p.PID)
		d.supervise(s, p)
	}
	d.config.Warden.Sweep(func(id andon.InstanceID) bool { return d.copies[id] != nil })
	return nil
}

// supervise notes that the process of s runs and watches it until it ends. The caller owns s.
func (d *Driver) supervise(s *supervised, p *proc) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		p.close() // the next driver adopts it
		return
	}
	s.mu.Lock()
	s.process, s.ended, s.ending = p, make(chan struct{}), false
	s.mu.Unlock()
	d.tasks.Go(func() { d.watch(s, p) })
}

// watch waits for the end of a copy's process and tells everybody who asks for it.
func (d *Driver) watch(s *supervised, p *proc) {
	if !p.wait(d.done) {
		return
	}
	s.mu.Lock()
	ending, why, cell, limits := s.ending, s.why, s.cell, s.record.Spec.Limits
	s.why = ""
	s.mu.Unlock()
	memory := cell.Memory() // now: what says so may go with the process
	if !ending {
		// What the copy has left behind would hold its port. It goes before the process is
		// reaped, as long as its session's number cannot be another's.
		cell.Kill()
		killAll(p.PID, d.mark(s.id))
	}
	exit := p.reap()
	p.close()
	if !ending {
		exit += outOfMemory(exit, limits, memory)
	}
	if why != "" {
		exit = why
		if err := d.emptyArea(s); err != nil {
			d.config.Log.Warn("cannot empty the TMPDIR of a copy", "copy", s.id, "error", err)
		}
	}
	cell.Remove()

	// The record is written while the copy still counts as running: the next process of the
	// copy, whose record must win, is started only after that.
	s.mu.Lock()
	s.record.Exit = exit
	rec := *s.record
	s.mu.Unlock()
	if err := writeRecord(d.home(s.id), rec, false); err != nil {
		d.config.Log.Warn("cannot record how a copy ended", "copy", s.id, "error", err)
	}
	s.mu.Lock()
	s.process = nil
	ending = s.ending
	close(s.ended)
	s.mu.Unlock()
	if ending {
		return
	}
	select {
	case d.exits <- s.id:
	default: // List has it
	}
}

// List implements platform.Platform.
func (d *Driver) List(ctx context.Context) ([]platform.Instance, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]platform.Instance, 0, len(d.copies))
	for _, s := range d.copies {
		if inst, ok := s.instance(); ok {
			list = append(list, inst)
		}
	}
	slices.SortFunc(list, func(a, b platform.Instance) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return list, nil
}

// Exits implements platform.Platform.
func (d *Driver) Exits() <-chan andon.InstanceID { return d.exits }

// Close implements platform.Platform: it lets go of the copies, which go on running.
func (d *Driver) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	close(d.done)
	for _, s := range d.copies {
		s.mu.Lock()
		if s.process != nil {
			s.process.release()
		}
		s.mu.Unlock()
	}
	d.mu.Unlock()
	d.tasks.Wait()
	return nil
}

// home returns the directory of a copy.
func (d *Driver) home(id andon.InstanceID) string { return filepath.Join(d.config.Dir, string(id)) }

// mark returns the environment entry by which every process of a copy is known, also one
// that left its session: the copy's directory, which no other plant's copy has.
func (d *Driver) mark(id andon.InstanceID) string { return "ANDON_COPY=" + d.home(id) }

// ownBasics returns what every process needs of this process's environment.
func ownBasics() map[string]string {
	m := make(map[string]string, 4)
	for _, k := range []string{"PATH", "HOME", "LANG", "USER"} {
		if v, ok := os.LookupEnv(k); ok {
			m[k] = v
		}
	}
	return m
}
