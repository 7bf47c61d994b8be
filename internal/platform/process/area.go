package process

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/andon-cd/andon/internal/platform/process/confine"
)

// What copies may write into their own directories: TMPDIR, and the one that they run in.
const (
	// DefaultArea is how much a copy may write there, if Config does not say.
	DefaultArea = 4 << 30
	areaTick    = time.Second
	// areaRest is how many times longer than it takes to look at a copy's directories nobody
	// looks at them again.
	areaRest = 50
	// areaHaste is the same while the disk is nearly full: then a look that took long, on a host that
	// was busy just then, must not leave the disk to whoever fills it.
	areaHaste = 5
	// A disk with less than this free, or a twentieth of it, is nearly full. Then goes who has
	// written most of late, if that is more than a trifle: so much, or a hundredth of the disk.
	nearlyFull = 256 << 20
	trifle     = 8 << 20
)

// areas is what is known of the directories of copies. One goroutine uses it.
type areas struct {
	// first is what was in a directory that copies run in when it was first looked at: the
	// artifact, and what a copy wrote within a moment. All copies of one version share it.
	first map[string]int64
	of    map[*supervised]*area
}

// An area is what one copy has written.
type area struct {
	written int64
	recent  int64         // of it; what was written earlier counts less with every look
	looked  time.Time     // when it was looked at last
	took    time.Duration // and how long that took
}

// watchAreas ends copies that fill their directories, until the driver closes. A disk belongs to
// all: the kernel gives no copy a bound of its own on it.
func (d *Driver) watchAreas() {
	tick := time.NewTicker(areaTick)
	defer tick.Stop()
	known := areas{first: make(map[string]int64), of: make(map[*supervised]*area)}
	for {
		select {
		case <-d.done:
			return
		case <-tick.C:
		}
		d.lookAtAreas(&known, time.Now())
	}
}

// lookAtAreas looks once at the directories of all copies that run, and ends who has too much.
func (d *Driver) lookAtAreas(known *areas, now time.Time) {
	full, least := nearlyFullDisk(d.config.Dir)
	var greediest *supervised
	rest := time.Duration(areaRest)
	if full {
		rest = areaHaste
	}
	for _, s := range d.runningCopies() {
		a := d.lookAt(known, s, now, rest)
		if a.written > d.config.Area {
			d.expel(s, fmt.Sprintf("killed: it wrote %s into its own directories, and may write %s", confine.Bytes(a.written), confine.Bytes(d.config.Area)))
			continue
		}
		if full && a.recent > least && (greediest == nil || a.recent > known.of[greediest].recent) {
			greediest = s
		}
	}
	if greediest != nil {
		d.expel(greediest, fmt.Sprintf("killed: the disk is nearly full, and it wrote the most of late (%s)", confine.Bytes(known.of[greediest].recent)))
	}
	d.forgetAreas(known)
}

// forgetAreas drops what is known of copies, and of directories, that are there no more.
func (d *Driver) forgetAreas(known *areas) {
	d.mu.Lock()
	defer d.mu.Unlock()
	dirs := make(map[string]bool)
	for _, s := range d.copies {
		dirs[s.dir()] = true
	}
	maps.DeleteFunc(known.first, func(dir string, _ int64) bool { return !dirs[dir] })
	maps.DeleteFunc(known.of, func(s *supervised, _ *area) bool { return d.copies[s.id] != s })
}

// dir returns the directory that the copy runs in, or ran in last.
func (s *supervised) dir() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.record == nil {
		return ""
	}
	return s.record.Dir
}

func (d *Driver) runningCopies() []*supervised {
	d.mu.Lock()
	defer d.mu.Unlock()
	var running []*supervised
	for _, s := range d.copies {
		if inst, ok := s.instance(); ok && inst.Running {
			running = append(running, s)
		}
	}
	return running
}

// lookAt measures the directories of a copy, unless that was done within rest times what it took.
func (d *Driver) lookAt(known *areas, s *supervised, now time.Time, rest time.Duration) *area {
	a := known.of[s]
	fresh := a == nil // what an adopted copy has written was not of late
	if fresh {
		a = &area{}
		known.of[s] = a
	}
	if now.Before(a.looked.Add(rest * a.took)) {
		return a
	}
	start := time.Now()
	before := a.written
	a.written = used(filepath.Join(d.home(s.id), "tmp"))
	if dir := s.dir(); dir != "" {
		has := used(dir)
		if _, looked := known.first[dir]; !looked {
			known.first[dir] = has
		}
		a.written += max(0, has-known.first[dir])
	}
	if !fresh {
		a.recent = max(0, a.recent*7/8+a.written-before)
	}
	a.looked, a.took = now, time.Since(start)
	return a
}

// expel kills a copy that is in the others' way, and empties its TMPDIR.
func (d *Driver) expel(s *supervised, why string) {
	s.mu.Lock()
	p := s.process
	if p != nil && !s.ending {
		s.why = why
	}
	s.mu.Unlock()
	if p == nil {
		return
	}
	d.config.Log.Warn("a copy is ended for what it wrote", "copy", s.id, "reason", why)
	p.signalGroup(syscall.SIGKILL)
}

// used returns how many bytes the files below a directory take on the disk.
func used(dir string) int64 {
	var total int64
	// What cannot be read, or is gone meanwhile, does not count.
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // as said above
		}
		if info, err := e.Info(); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok {
				total += st.Blocks * 512
			}
		}
		return nil
	})
	return total
}

// nearlyFullDisk reports whether the disk of a directory has little left, and what is a trifle there.
func nearlyFullDisk(dir string) (full bool, least int64) {
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return false, 0
	}
	block := int64(disk.Bsize) //nolint:unconvert // 32 bits on macOS
	size, free := int64(disk.Blocks)*block, int64(disk.Bavail)*block
	return free < min(nearlyFull, size/20), min(trifle, size/100)
}

// emptyArea removes what a copy that was expelled left in its TMPDIR.
func (d *Driver) emptyArea(s *supervised) error {
	tmp := filepath.Join(d.home(s.id), "tmp")
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	return os.Mkdir(tmp, 0o700)
}
