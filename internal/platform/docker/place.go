package docker

import (
	"encoding/json"
	"hash/crc32"
	"os"
	"path/filepath"
)

const placeFile = "log.place"

// A place is how far a container's log has been copied: up to an entry, and to where in the
// copy's own log. It is on disk a moment later than the log itself, so the log may be longer.
//
// An entry is found again by what it is, not by where it is or by its time's order: the Engine
// drops old entries, and clocks jump.
type place struct {
	Container string `json:"container"`
	Time      string `json:"time,omitempty"` // of the entry; empty: nothing was copied
	Nth       int    `json:"nth,omitempty"`  // among those in a row with that time, from 1
	Sum       uint32 `json:"sum,omitempty"`  // of its text
	End       int64  `json:"end"`            // the offset in the copy's log behind it
}

// after returns the place behind the next entry.
func (p place) after(e entry) place {
	next := place{Container: p.Container, Time: e.time, Nth: 1, Sum: crc32.ChecksumIEEE(e.text), End: p.End + int64(len(e.text))}
	if e.time == p.Time {
		next.Nth = p.Nth + 1
	}
	return next
}

// same reports whether two places are behind the same entry.
func (p place) same(q place) bool {
	return p.Time == q.Time && p.Nth == q.Nth && p.Sum == q.Sum
}

// readPlace returns how far the log of a container was copied. Without a file of that, nothing
// was; end is where the copy's log ends.
func readPlace(home, container string, end int64) place {
	p := place{Container: container, End: end}
	b, err := os.ReadFile(filepath.Join(home, placeFile))
	if err != nil {
		return p
	}
	var found place
	if json.Unmarshal(b, &found) != nil || found.Container != container {
		return p
	}
	return found
}

func writePlace(home string, p place) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	path := filepath.Join(home, placeFile)
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
