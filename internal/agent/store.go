package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/andon-cd/andon/internal/andon"
)

// A store keeps on disk what the server wants, one file for each place. It is written before
// anything acts on it, so a restart continues where the agent was.
type store struct {
	dir string
	far string // the file with the addresses
	log *slog.Logger

	mu     sync.Mutex
	places map[andon.Place]andon.Desired
	// addresses is where copies on other hosts listen.
	addresses map[andon.InstanceID]string
	told      bool // the server has said in this life what it wants
	refused   map[andon.Place]int64
}

// openStore reads what an earlier agent kept.
func openStore(dir string, log *slog.Logger) (*store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	s := &store{dir: dir, far: dir + "-addresses.json", log: log, places: make(map[andon.Place]andon.Desired), refused: make(map[andon.Place]int64)}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		var d andon.Desired
		if err := readKept(filepath.Join(dir, e.Name()), &d); err != nil {
			return nil, err
		}
		s.places[d.Place] = d
	}
	if err := readKept(s.far, &s.addresses); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return s, nil
}

// readKept reads a file of what the server wants.
func readKept(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return andon.Errorf(andon.KindInternal, "%s, which says what should run here, is damaged", path).
			WithHint("Remove the file: the server says again what should run.").Because(err)
	}
	return nil
}

// accept takes over what the server wants, which is complete: a place that is not named has
// nothing. A place whose generation is older than what is kept stays as it is. It reports
// whether anything changed; on an error, what could be written is taken over, and the rest is as
// it was.
func (s *store) accept(all []andon.Desired, addresses map[andon.InstanceID]string) (changed bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed = !s.told
	named := make(map[andon.Place]bool, len(all))
	for _, d := range all {
		named[d.Place] = true
		have, known := s.places[d.Place]
		if known && d.Generation < have.Generation {
			if s.refused[d.Place] != d.Generation {
				s.refused[d.Place] = d.Generation
				s.log.Warn("refused an older generation", "place", d.Key(), "generation", d.Generation, "kept", have.Generation)
			}
			continue
		}
		if known && d.Generation == have.Generation {
			continue
		}
		if failed := s.write(d); failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		s.places[d.Place] = d
		changed = true
	}
	for place := range s.places {
		if named[place] {
			continue
		}
		if failed := os.Remove(s.path(place)); failed != nil && !errors.Is(failed, os.ErrNotExist) {
			err = errors.Join(err, fmt.Errorf("agent: %w", failed))
			continue
		}
		delete(s.places, place)
		changed = true
	}
	if !maps.Equal(s.addresses, addresses) {
		data, failed := json.Marshal(addresses)
		if failed == nil {
			failed = writeFile(s.far, data)
		}
		if failed != nil {
			return changed, errors.Join(err, diskError("where copies on other hosts listen cannot be written to disk", failed))
		}
		s.addresses, changed = addresses, true
	}
	s.told = s.told || err == nil
	return changed, err
}

// elsewhere returns where copies on other hosts listen. It must not be changed.
func (s *store) elsewhere() map[andon.InstanceID]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addresses
}

func (s *store) write(d andon.Desired) error {
	data, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	if err := writeFile(s.path(d.Place), data); err != nil {
		return diskError(fmt.Sprintf("what should run of %s cannot be written to disk", d.Place), err)
	}
	return nil
}

// diskError says what could not be done, and why in the system's own words: mostly that the disk
// is full.
func diskError(what string, err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		what += ": " + errno.Error()
	}
	return andon.Errorf(andon.KindUnavailable, "%s", what).WithHint("Make room on the host; the agent tries again by itself.").Because(err)
}

func (s *store) path(p andon.Place) string { return filepath.Join(s.dir, p.Key()+".json") }

// all returns what should be, ordered by place, and whether the server has said so in this
// life. The contents must not be changed.
func (s *store) all() (desired []andon.Desired, told bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	desired = make([]andon.Desired, 0, len(s.places))
	for _, d := range s.places {
		desired = append(desired, d)
	}
	slices.SortFunc(desired, func(a, b andon.Desired) int { return strings.Compare(a.Key(), b.Key()) })
	return desired, s.told
}

// place returns what should be in a place.
func (s *store) place(p andon.Place) (andon.Desired, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.places[p]
	return d, ok
}
