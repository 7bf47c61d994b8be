package proxy

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

// A ledger counts the requests of one place for one deployment, in the lane of this process.
type ledger struct {
	deployment andon.DeploymentID
	slot       *slot
	lane       *lane
}

// read returns the counters of all processes together. Read one after the other while
// requests run, their sum may be behind the requests by those in flight, never ahead.
func (l *ledger) read() andon.Ledger {
	r := andon.Ledger{
		Deployment:   l.deployment,
		Retried:      l.slot.retried.Load(),
		AtSwitch:     l.slot.atSwitch.Load(),
		Drained:      l.slot.drained.Load(),
		CutOff:       l.slot.cutOff.Load(),
		Upgraded:     l.slot.upgraded.Load(),
		LongestDrain: l.slot.longestDrain.Load(),
	}
	for i := range l.slot.lanes {
		lane := &l.slot.lanes[i]
		r.Served += lane.served.Load()
		r.Failed += lane.failed.Load()
		r.ClientGone += lane.clientGone.Load()
		r.Unknown += lane.unknown.Load()
	}
	return r
}

// drainedAfter records one request that was in flight at the switch and has ended.
func (l *ledger) drainedAfter(ms int64, cut bool) {
	if cut {
		l.slot.cutOff.Add(1)
	} else {
		l.slot.drained.Add(1)
	}
	for {
		longest := l.slot.longestDrain.Load()
		if ms <= longest || l.slot.longestDrain.CompareAndSwap(longest, ms) {
			return
		}
	}
}

// ledgers are the ledgers of every place, in the counters file. Only the process that takes
// new requests opens and drops them.
type ledgers struct {
	dir  string
	lock *laneLock
	file *countersFile

	mu      sync.Mutex
	places  map[string][]*ledger // by Place.Key, oldest first
	dropped []*slot              // still in use by requests in flight, free afterwards
	order   uint64
}

// openLedgers takes a lane of the counters file and counts as unknown what its last process
// left in flight. If the file is corrupt it starts a new one, and says so.
func openLedgers(dir string, lock *laneLock, log *slog.Logger) (*ledgers, error) {
	path := filepath.Join(dir, "counters.map")
	file, err := openCountersFile(path)
	if errors.Is(err, errCorrupt) {
		log.Error("the ledgers cannot be read: counting starts anew, the old file is kept beside it", "file", path+".corrupt", "error", err)
		if err := os.Rename(path, path+".corrupt"); err != nil {
			return nil, err
		}
		file, err = openCountersFile(path)
	}
	if err != nil {
		return nil, err
	}
	l := &ledgers{dir: dir, lock: lock, file: file, places: map[string][]*ledger{}}
	for s := range file.slots {
		if s.used == 0 {
			continue
		}
		s.lanes[lock.number].settle()
		place, deployment := s.names()
		l.places[place] = append(l.places[place], l.handle(s, deployment))
		l.order = max(l.order, s.order)
	}
	for key, of := range l.places {
		slices.SortFunc(of, func(a, b *ledger) int { return cmp.Compare(a.slot.order, b.slot.order) })
		l.places[key] = l.newest(of)
	}
	l.settleOther()
	return l, nil
}

func (l *ledgers) handle(s *slot, deployment string) *ledger {
	return &ledger{deployment: andon.DeploymentID(deployment), slot: s, lane: &s.lanes[l.lock.number]}
}

// open returns the ledger of that deployment, which it makes if there is none.
func (l *ledgers) open(p andon.Place, d andon.DeploymentID) (*ledger, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := p.Key()
	for _, have := range l.places[key] {
		if have.deployment == d {
			return have, nil
		}
	}
	s, err := l.freeSlot()
	if err != nil {
		return nil, err
	}
	if err := s.assign(key, string(d), l.order+1); err != nil {
		return nil, andon.Errorf(andon.KindInvalid, "The proxy cannot count for %s.", d).Because(err)
	}
	l.order++
	made := l.handle(s, string(d))
	l.places[key] = l.newest(append(l.places[key], made))
	return made, nil
}

// freeSlot returns a slot that counts for nothing.
func (l *ledgers) freeSlot() (*slot, error) {
	l.dropped = slices.DeleteFunc(l.dropped, func(s *slot) bool {
		if s.inFlight() > 0 {
			return false
		}
		s.release()
		return true
	})
	for s := range l.file.slots {
		if s.used == 0 {
			return s, nil
		}
	}
	full := len(l.file.segments)
	if err := l.file.grow(); err != nil {
		return nil, fmt.Errorf("the ledgers' file cannot grow: %w", err)
	}
	for s := range (&countersFile{segments: l.file.segments[full:]}).slots {
		return s, nil
	}
	return nil, errors.New("a new segment has no slot")
}

// newest drops what is more than traffic.KeptLedgers and returns the rest.
func (l *ledgers) newest(of []*ledger) []*ledger {
	extra := len(of) - traffic.KeptLedgers
	if extra <= 0 {
		return of
	}
	l.drop(of[:extra])
	return slices.Clone(of[extra:])
}

func (l *ledgers) drop(of []*ledger) {
	for _, led := range of {
		l.dropped = append(l.dropped, led.slot)
	}
}

// keepOnly drops the ledgers of every place for which keep is false.
func (l *ledgers) keepOnly(keep func(placeKey string) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, of := range l.places {
		if !keep(key) {
			l.drop(of)
			delete(l.places, key)
		}
	}
}

// of returns what was counted for the place, the oldest deployment first.
func (l *ledgers) of(p andon.Place) []andon.Ledger {
	l.mu.Lock()
	defer l.mu.Unlock()
	var counts []andon.Ledger
	for _, led := range l.places[p.Key()] {
		counts = append(counts, led.read())
	}
	return counts
}

// settleOther counts as unknown what a process in the other lane left in flight, if none
// counts there any more.
func (l *ledgers) settleOther() {
	other, err := tryLane(l.dir, 1-l.lock.number)
	if other == nil || err != nil {
		return // a proxy that is being replaced still counts there
	}
	defer other.unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.file.slots {
		if s.used != 0 {
			s.lanes[other.number].settle()
		}
	}
}

// close unmaps the file: no ledger may be used any more.
func (l *ledgers) close() {
	l.file.close()
	l.lock.unlock()
}
