package proxy

import (
	"hash/crc32"
	"slices"
	"sync/atomic"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

type groupsFile = slotFile[groupSlot, *groupSlot]

// latencyBounds never changes.
var latencyBounds = andon.LatencyBounds()

// A groupSlot counts what one group answered for one ledger: an andon.GroupStats in DIR/groups.map.
// All processes count in it together.
type groupSlot struct {
	used       uint32
	sum        uint32 // CRC-32 of the three names
	placeLen   uint16
	nameLen    uint16
	groupLen   uint16
	_          uint16
	place      [104]byte
	deployment [128]byte
	group      [128]byte

	requests, errors atomic.Int64
	latency          [andon.LatencyBuckets]atomic.Int64
	_                [72]byte
}

// A group counts for one group and one ledger.
type group struct {
	id   andon.GroupID
	slot *groupSlot
}

func (s *groupSlot) inUse() bool { return atomic.LoadUint32(&s.used) != 0 }

// release frees the slot.
func (s *groupSlot) release() { atomic.StoreUint32(&s.used, 0) }

func (s *groupSlot) check() error {
	if int(s.placeLen) > len(s.place) || int(s.nameLen) > len(s.deployment) || int(s.groupLen) > len(s.group) || s.sum != s.checksum() {
		return errCorrupt
	}
	return nil
}

func (s *groupSlot) checksum() uint32 {
	sum := crc32.ChecksumIEEE(s.place[:])
	sum = crc32.Update(sum, crc32.IEEETable, s.deployment[:])
	return crc32.Update(sum, crc32.IEEETable, s.group[:])
}

// assign makes the slot count for the named group, from zero. It reports false if a name is too long.
func (s *groupSlot) assign(led *slot, id andon.GroupID) bool {
	if len(id) > len(s.group) {
		return false
	}
	*s = groupSlot{placeLen: led.placeLen, nameLen: led.nameLen, groupLen: uint16(len(id)), place: led.place, deployment: led.deployment}
	copy(s.group[:], id)
	s.sum = s.checksum()
	atomic.StoreUint32(&s.used, 1)
	return true
}

func (s *groupSlot) read(id andon.GroupID, ledger andon.DeploymentID) andon.GroupStats {
	stats := andon.GroupStats{Group: id, Ledger: ledger, Requests: s.requests.Load(), Errors: s.errors.Load()}
	last := len(s.latency)
	for last > 0 && s.latency[last-1].Load() == 0 {
		last--
	}
	for i := range last {
		stats.Latency = append(stats.Latency, s.latency[i].Load())
	}
	return stats
}

// group returns what counts for that group and ledger, nil if nothing can: traffic goes on.
func (l *ledgers) group(led *ledger, id andon.GroupID) *group {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, g := range led.groups {
		if g.id == id {
			return g
		}
	}
	s, err := l.groupFile.take()
	if err != nil {
		l.log.Error("what the group answers cannot be counted", "group", id, "error", err)
		return nil
	}
	if !s.assign(led.slot, id) {
		l.groupFile.put(s)
		return nil
	}
	g := &group{id, s}
	led.groups = append(led.groups, g)
	return g
}

// loadGroups gives the ledgers the groups that were counted before, and frees the others.
func (l *ledgers) loadGroups() {
	for s := range l.groupFile.slots {
		if !s.inUse() {
			continue
		}
		deployment := andon.DeploymentID(s.deployment[:s.nameLen])
		place := l.places[string(s.place[:s.placeLen])]
		i := slices.IndexFunc(place, func(led *ledger) bool { return led.deployment == deployment })
		if i < 0 {
			s.release()
			l.groupFile.put(s)
			continue
		}
		led := place[i]
		led.groups = append(led.groups, &group{andon.GroupID(s.group[:s.groupLen]), s})
	}
}

// groupsOf returns what was counted of the place's groups that had requests.
func (l *ledgers) groupsOf(p andon.Place) []andon.GroupStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []andon.GroupStats
	for _, led := range l.places[p.Key()] {
		for _, g := range led.groups {
			if g.slot.requests.Load() > 0 {
				all = append(all, g.slot.read(g.id, led.deployment))
			}
		}
	}
	return all
}

// An attempt is what one try of a flight at a copy says of the copy's group.
type attempt struct {
	group  *group // nil: nothing is counted
	status int    // that the copy answered; 0: it has not
	bucket int    // of the latency; negative: there is none
}

// answered notes the head of the final answer, which began took after the request was sent.
func (a *attempt) answered(status int, took time.Duration) {
	if a.group != nil {
		a.status, a.bucket = status, andon.LatencyBucket(latencyBounds, took)
	}
}

// end counts the attempt, once. bad says that the copy failed at it.
func (a *attempt) end(bad bool) {
	if a.group == nil {
		return
	}
	s := a.group.slot
	a.group = nil
	s.requests.Add(1)
	if bad || a.status >= 500 {
		s.errors.Add(1)
	}
	if a.bucket >= 0 {
		s.latency[a.bucket].Add(1)
	}
}
