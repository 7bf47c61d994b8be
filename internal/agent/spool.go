package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
)

// A spool keeps, for each lease, that it was begun, and then its result until the server has
// acknowledged it, so that no lease is run twice and no result is lost when the agent dies.
// A power cut may lose the newest of it; the task then counts as lost, which repeats it
// visibly. That is why nothing here waits for the disk.
type spool struct{ dir string }

// A spooled is one lease in the spool.
type spooled struct {
	Lease  andon.Lease       `json:"lease"`
	Result *andon.TaskResult `json:"result,omitempty"` // nil: it has not ended
}

func openSpool(dir string) (*spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	return &spool{dir: dir}, nil
}

// put writes what is known of a lease: a line more in its file.
func (s *spool) put(entry spooled) error {
	entry.Lease.Task = andon.Task{ID: entry.Lease.Task.ID} // the rest may hold secrets and is not needed
	data, err := json.Marshal(entry)
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	data = append(data, '\n')
	path := s.path(entry.Lease.Token)
	return withRoom(path, func() error {
		if err := appendFile(path, data); !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return replaceFile(path, data, false)
	})
}

// remove forgets a lease whose result is acknowledged.
func (s *spool) remove(token andon.Token) error {
	if err := os.Remove(s.path(token)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// all returns every lease in the spool. A file that a power cut has torn is one that was begun.
func (s *spool) all() ([]spooled, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	var list []spooled
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		token, err := strconv.ParseInt(name, 10, 64)
		if !ok || err != nil {
			continue
		}
		data, err := os.ReadFile(filepath.Join(s.dir, e.Name()))
		if err != nil {
			return nil, err
		}
		entry, ok := lastEntry(data)
		if !ok || entry.Lease.Token != andon.Token(token) {
			// Nothing says which task it was: the server ends the lease by itself.
			if err := os.Remove(filepath.Join(s.dir, e.Name())); err != nil {
				return nil, err
			}
			continue
		}
		list = append(list, entry)
	}
	return list, nil
}

// lastEntry returns the last line that is whole; false when there is none.
func lastEntry(data []byte) (last spooled, ok bool) {
	for line := range bytes.Lines(data) {
		var entry spooled
		if json.Unmarshal(line, &entry) == nil {
			last, ok = entry, true
		}
	}
	return last, ok
}

func (s *spool) path(token andon.Token) string {
	return filepath.Join(s.dir, strconv.FormatInt(int64(token), 10)+".json")
}
