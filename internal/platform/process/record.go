package process

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/andon-cd/andon/internal/platform"
)

// recordFormat is the format that this program writes. A greater one is refused: a copy
// whose record is misread might be started twice.
const recordFormat = 1

// A record is what is on disk about a copy. It is there before the copy's program runs.
// It holds the copy's environment, so only its owner may read it.
type record struct {
	Format  int           `json:"format"`
	Spec    platform.Spec `json:"spec"`
	Process identity      `json:"process"`
	Dir     string        `json:"dir,omitempty"` // that it was started in
	Started time.Time     `json:"started"`
	Exit    string        `json:"exit,omitempty"` // how the process ended, once that is known
}

// An identity names one process for ever: a number alone is used again.
type identity struct {
	PID   int    `json:"pid"`
	Start string `json:"start"` // when it started, in the words of the operating system
	Boot  string `json:"boot"`  // of which life of the machine
}

const recordFile = "record.json"

func readRecord(home string) (record, error) {
	b, err := os.ReadFile(filepath.Join(home, recordFile))
	if err != nil {
		return record{}, err
	}
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return record{}, err
	}
	if r.Format > recordFormat {
		return record{}, fmt.Errorf("it has format %d, and this program knows formats up to %d", r.Format, recordFormat)
	}
	return r, nil
}

// writeRecord replaces the record of a copy in one step. A durable one survives a power cut.
func writeRecord(home string, r record, durable bool) error {
	r.Format = recordFormat
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	path := filepath.Join(home, recordFile)
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil && durable {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil || !durable {
		return err
	}
	// The directory may be new, so its own entry has to last too.
	if err := syncDir(home); err != nil {
		return err
	}
	return syncDir(filepath.Dir(home))
}

// removeRecord makes the copy unknown, durably.
func removeRecord(home string) error {
	if err := os.Remove(filepath.Join(home, recordFile)); err != nil && !os.IsNotExist(err) {
		return err
	}
	return syncDir(home)
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
