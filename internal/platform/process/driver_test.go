package process

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform"
	"github.com/andon-cd/andon/internal/platform/platformtest"
)

func TestProcess_KeepsTheContract(t *testing.T) {
	platformtest.Run(t, func(t *testing.T) platformtest.Host {
		dir, artifact := t.TempDir(), t.TempDir()
		return platformtest.Host{
			Open:     func(t *testing.T) platform.Platform { return openDriver(t, dir, artifact) },
			Forever:  []string{"sleep", "1000"},
			Stubborn: script(`trap "" TERM; echo up; while :; do sleep 1000; done`),
			Exits:    func(status int) []string { return script(fmt.Sprintf("exit %d", status)) },
			Prints:   func(text string) []string { return []string{"sh", "-c", `printf %s "$1"; exec sleep 1000`, "sh", text} },
		}
	})
}

// openDriver opens a driver whose copies all have the one artifact.
func openDriver(t *testing.T, dir, artifact string) *Driver {
	t.Helper()
	d, err := Open(config(dir, artifact))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func config(dir, artifact string) Config {
	return Config{
		Dir: filepath.Join(dir, "copies"),
		Artifacts: func(context.Context, andon.ServiceName, andon.Digest) (string, error) {
			return artifact, nil
		},
		Environ: map[string]string{"PATH": os.Getenv("PATH")},
	}
}

func script(text string) []string { return []string{"sh", "-c", text} }

// patience is how long a test waits for what must happen, also on a machine that is busy.
const patience = 3 * time.Minute

// exitOf waits until a copy has ended by itself, and returns how.
func exitOf(t *testing.T, d *Driver, id andon.InstanceID) string {
	t.Helper()
	for overdue := time.After(patience); ; {
		select {
		case ended := <-d.Exits():
			if ended != id {
				continue
			}
		case <-overdue:
			t.Fatalf("copy %s did not end", id)
		}
		list, err := d.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, inst := range list {
			if inst.ID == id {
				return inst.Exit
			}
		}
		t.Fatalf("copy %s is not listed", id)
	}
}
