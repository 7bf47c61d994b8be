package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
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
	log *slog.Logger

	mu      sync.Mutex
	places  map[andon.Place]andon.Desired
	told    bool // the server has said in this life what it wants
	refused map[andon.Place]int64
}

// openStore reads what an earlier agent kept.
func openStore(dir string, log *slog.Logger) (*store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	s := &store{dir: dir, log: log, places: make(map[andon.Place]andon.Desired), refused: make(map[andon.Place]int64)}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		path := filepath.Join(dir, e.Name())
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("agent: %w", err)
		}
		var d andon.Desired
		if err := json.Unmarshal(data, &d); err != nil {
			return nil, andon.Errorf(andon.KindInternal, "%s, which says what should run here, is damaged", path).
				WithHint("Remove the file: the server says again what should run.").Because(err)
		}
		s.places[d.Place] = d
	}
	return s, nil
}

// accept takes over what the server wants, which is complete: a place that is not named has
// nothing. A place whose generation is older than what is kept stays as it is. It reports
// whether anything changed; on an error, what could be written is taken over.
func (s *store) accept(all []andon.Desired) (changed bool, err error) {
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
	s.told = true
	return changed, nil
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
