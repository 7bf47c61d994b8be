package proxy

import (
	"cmp"
	"errors"
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
	groups     []*group // guarded by the ledgers
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
		Moved:        l.slot.moved.Load(),
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

// ledgers are the ledgers of every place, in the counters files. Only the process that takes
// new requests opens and drops them.
type ledgers struct {
	dir       string
	lock      *laneLock
	log       *slog.Logger
	file      *countersFile
	groupFile *groupsFile

	mu      sync.Mutex
	places  map[string][]*ledger // by Place.Key, oldest first
	dropped []*ledger            // still in use by requests in flight, free afterwards
	order   uint64
}

// openLedgers takes a lane of the counters file and counts as unknown what its last process
// left in flight. If the file is corrupt it starts a new one, and says so.
func openLedgers(dir string, lock *laneLock, log *slog.Logger) (*ledgers, error) {
	file, err := openOrAnew[slot](filepath.Join(dir, "counters.map"), countersMagic, log)
	if err != nil {
		return nil, err
	}
	groups, err := openOrAnew[groupSlot](filepath.Join(dir, "groups.map"), groupsMagic, log)
	if err != nil {
		file.close()
		return nil, err
	}
	l := &ledgers{dir: dir, lock: lock, log: log, file: file, groupFile: groups, places: map[string][]*ledger{}}
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
	l.loadGroups()
	l.settleOther()
	return l, nil
}

// openOrAnew opens a file of counters, or in the place of a corrupt one a new one.
func openOrAnew[S any, P slotOf[S]](path, magic string, log *slog.Logger) (*slotFile[S, P], error) {
	file, err := openSlotFile[S, P](path, magic)
	if !errors.Is(err, errCorrupt) {
		return file, err
	}
	log.Error("the ledgers cannot be read: counting starts anew, the old file is kept beside it", "file", path+".corrupt", "error", err)
	if err := os.Rename(path, path+".corrupt"); err != nil {
		return nil, err
	}
	return openSlotFile[S, P](path, magic)
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
	l.release()
	s, err := l.file.take()
	if err != nil {
		return nil, err
	}
	if err := s.assign(key, string(d), l.order+1); err != nil {
		l.file.put(s)
		return nil, andon.Errorf(andon.KindInvalid, "The proxy cannot count for %s.", d).Because(err)
	}
	l.order++
	made := l.handle(s, string(d))
	l.places[key] = l.newest(append(l.places[key], made))
	return made, nil
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

func (l *ledgers) drop(of []*ledger) { l.dropped = append(l.dropped, of...) }

// release frees the slots of dropped ledgers for which no request is in flight any more.
func (l *ledgers) release() {
	l.dropped = slices.DeleteFunc(l.dropped, func(led *ledger) bool {
		if led.slot.inFlight() > 0 {
			return false
		}
		for _, g := range led.groups {
			g.slot.release()
			l.groupFile.put(g.slot)
		}
		led.slot.release()
		l.file.put(led.slot)
		return true
	})
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
	l.groupFile.close()
	l.lock.unlock()
}
