package process

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/platform/platformtest"
)

// roomy opens a driver whose copies may write 8 MiB.
func roomy(t *testing.T) *Driver {
	t.Helper()
	c := config(t.TempDir(), t.TempDir())
	c.Area = 8 << 20
	d, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestArea_CopyThatFillsItsDirectoriesIsEnded(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{"TMPDIR": `"$TMPDIR"`, "the directory it runs in": "."} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := roomy(t)
			// What it had written when it was first looked at does not count: it writes for longer.
			fill := script(`i=0; while [ $i -lt 200 ]; do i=$((i+1)); head -c 1000000 /dev/zero >` + dir + `/junk-$i; sleep 0.2; done; exec sleep 1000`)
			if _, err := d.Start(t.Context(), platformtest.Spec("greedy", fill)); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = d.Stop(t.Context(), "greedy", 0) }()
			if got := exitOf(t, d, "greedy"); !strings.HasPrefix(got, "killed: it wrote ") || !strings.HasSuffix(got, " into its own directories, and may write 8 MiB") {
				t.Errorf("it ended with %q", got)
			}
			if left, _ := os.ReadDir(filepath.Join(d.home("greedy"), "tmp")); len(left) > 0 {
				t.Errorf("its TMPDIR still holds %v", left)
			}
		})
	}
}

func TestArea_CopyThatKeepsWithinItsShareIsLeftAlone(t *testing.T) {
	t.Parallel()
	d := roomy(t)
	if _, err := d.Start(t.Context(), platformtest.Spec("a", script(`head -c 4000000 /dev/zero >"$TMPDIR/data"; exec sleep 1000`))); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Stop(t.Context(), "a", 0) }()
	data := filepath.Join(d.home("a"), "tmp", "data")
	eventually(t, "it has written", func() bool {
		info, err := os.Stat(data)
		return err == nil && info.Size() == 4000000
	})
	known := areas{first: make(map[string]int64), of: make(map[*supervised]*area)}
	d.lookAtAreas(&known, time.Now())
	if a := known.of[d.copies["a"]]; a == nil || a.written < 4000000 || a.written > 5000000 {
		t.Errorf("it is said to have %+v", a)
	}
	if list, err := d.List(t.Context()); err != nil || len(list) != 1 || !list[0].Running {
		t.Errorf("List returned %+v, %v", list, err)
	}
}

func TestArea_OfANearlyFullDiskGoesWhoWroteLast(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root may mount a small disk")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skip("a small disk cannot be mounted:", err)
	}
	d := openDriver(t, dir, t.TempDir())
	t.Cleanup(func() {
		err := errors.Join(d.Stop(context.Background(), "quiet", 0), d.Stop(context.Background(), "greedy", 0), d.Close())
		if err := errors.Join(err, syscall.Unmount(dir, syscall.MNT_DETACH)); err != nil {
			t.Error(err)
		}
	})
	if _, err := d.Start(t.Context(), platformtest.Spec("quiet", script(`head -c 5000000 /dev/zero >"$TMPDIR/data"; exec sleep 1000`))); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has written", func() bool {
		info, err := os.Stat(d.home("quiet") + "/tmp/data")
		return err == nil && info.Size() == 5000000
	})
	// It fills the disk slowly enough that somebody looks meanwhile: of what it had written when it
	// was first looked at, nobody knows that it was of late.
	if _, err := d.Start(t.Context(), platformtest.Spec("greedy", script(`while :; do head -c 2000000 /dev/zero >>"$TMPDIR/junk"; sleep 0.2; done`))); err != nil {
		t.Fatal(err)
	}
	if got := exitOf(t, d, "greedy"); !strings.HasPrefix(got, "killed: the disk is nearly full, and it wrote the most of late (") {
		t.Errorf("it ended with %q", got)
	}
	list, err := d.List(t.Context())
	if err != nil || len(list) != 2 || !list[1].Running {
		t.Errorf("List returned %+v, %v: the quiet copy is to run on", list, err)
	}
}

func TestArea_OfANearlyFullDiskIsSoonLookedAtAgainThoughALookTookLong(t *testing.T) {
	t.Parallel()
	d := roomy(t)
	if _, err := d.Start(t.Context(), platformtest.Spec("a", script("exec sleep 1000"))); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Stop(t.Context(), "a", 0) }()
	known, s, now := areas{first: make(map[string]int64), of: make(map[*supervised]*area)}, d.copies["a"], time.Now()
	d.lookAt(&known, s, now, areaRest).took = 2 * time.Second // as on a host that was busy just then
	for _, c := range []struct {
		rest  time.Duration
		after time.Duration
		again bool
	}{{areaRest, 99 * time.Second, false}, {areaHaste, 9 * time.Second, false}, {areaHaste, 10 * time.Second, true}} {
		if again := d.lookAt(&known, s, now.Add(c.after), c.rest).looked.After(now); again != c.again {
			t.Errorf("after %s, with a rest of %d times the look, it is looked at again: %t", c.after, c.rest, again)
		}
	}
}
