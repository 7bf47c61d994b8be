package line

import (
	"encoding/json"
	"fmt"
)

// Format is the number of the snapshots' format. A snapshot of another format is useless: the
// journal is replayed instead. It grows whenever what Apply builds from old events changes.
const Format = 1

// Snapshot returns the state as bytes for Restore.
func (s *State) Snapshot() ([]byte, error) { return json.Marshal(s) }

// Restore returns the state that Snapshot made the bytes of.
func Restore(data []byte) (*State, error) {
	s := &State{}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("line: the snapshot cannot be decoded: %w", err)
	}
	s.prepare()
	return s, nil
}
