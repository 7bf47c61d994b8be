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
// whether anything changed; on an error, what could be written is taken over.
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
		if err := s.write(d); err != nil {
			return changed, err
		}
		s.places[d.Place] = d
		changed = true
	}
	for place := range s.places {
		if named[place] {
			continue
		}
		if err := os.Remove(s.path(place)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return changed, fmt.Errorf("agent: %w", err)
		}
		delete(s.places, place)
		changed = true
	}
	if !maps.Equal(s.addresses, addresses) {
		data, err := json.Marshal(addresses)
		if err == nil {
			err = writeFile(s.far, data)
		}
		if err != nil {
			return changed, andon.Errorf(andon.KindUnavailable, "where copies on other hosts listen cannot be written to disk").Because(err)
		}
		s.addresses, changed = addresses, true
	}
	s.told = true
	return changed, nil
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
		return andon.Errorf(andon.KindUnavailable, "what should run of %s cannot be written to disk", d.Place).Because(err)
	}
	return nil
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
