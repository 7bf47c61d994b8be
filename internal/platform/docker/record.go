package docker

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// recordFormat is the format that this program writes. A greater one is refused.
const recordFormat = 1

const recordFile = "copy.json"

// A record is what is on disk about a copy, so that it stays known when its container is gone:
// removed by an operator, or by a start that then failed. Containers that are there win over it.
type record struct {
	Format    int              `json:"format"`
	ID        andon.InstanceID `json:"id"`
	Artifact  andon.Digest     `json:"artifact"`
	Config    andon.ConfigHash `json:"config"`
	Address   string           `json:"address,omitempty"`
	Container string           `json:"container"` // the newest one
	Started   time.Time        `json:"started"`
	Exit      string           `json:"exit,omitempty"` // how it ended, once that is known
}

// readRecord returns the record in a copy's directory; its error is os.ErrNotExist without one.
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

func writeRecord(home string, r record) error {
	r.Format = recordFormat
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(home, recordFile), b)
}

// replaceFile writes a file in one step: after a power cut it is the old one or the new one.
func replaceFile(path string, content []byte) error {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
