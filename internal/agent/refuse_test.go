package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

func TestAgent_TellsOfCopiesThatItCannotTakeOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.agent()
		w.plant.set(nil, desired(1, []andon.Copy{copyOf("g", 0)}, "g.0"))
		after(time.Second)
		w.wantPhases("g.0=healthy")

		// Nothing can be written where a directory is in the way.
		blocked := filepath.Join(w.dir, "desired", place.Key()+".json.new")
		if err := os.Mkdir(blocked, 0o700); err != nil {
			t.Fatal(err)
		}
		w.plant.set(nil, desired(2, []andon.Copy{copyOf("g", 0), copyOf("h", 0)}, "g.0"))
		after(time.Second)
		w.wantPhases("g.0=healthy", "h.0=failed")
		if s := w.plant.observed()["h.0"]; !strings.Contains(s.Reason, "shop in production cannot be written to disk: is a directory") || s.Artifact != artifact {
			t.Errorf("the server was told %+v", s)
		}
		w.plant.set(nil, desired(3, []andon.Copy{copyOf("g", 0)}, "g.0"))
		after(20 * time.Second)
		w.wantPhases("g.0=healthy", "h.0=stopped")
		w.wantTargets("g.0")

		w.plant.set(nil, desired(4, []andon.Copy{copyOf("g", 0), copyOf("i", 0)}, "g.0"))
		after(20 * time.Second)
		w.wantPhases("g.0=healthy", "h.0=stopped", "i.0=failed")
		if err := os.Remove(blocked); err != nil {
			t.Fatal(err)
		}
		after(20 * time.Second)
		w.wantPhases("g.0=healthy", "h.0=stopped", "i.0=healthy")
	})
}
