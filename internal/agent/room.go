package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/andon-cd/andon/internal/andon"
)

// What an agent keeps free of the disk that its directory is on.
const (
	mostReserve = 256 << 20 // or a twentieth of the disk, if that is less
	mostBallast = 4 << 20   // or a hundredth of the disk
	ballastFile = "ballast"
	roomEvery   = 10 * time.Second
)

// A disk is how much room there is.
type disk struct{ size, free int64 }

func readDisk(dir string) (disk, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return disk{}, os.NewSyscallError("statfs", err)
	}
	block := int64(fs.Bsize) //nolint:unconvert // 32 bits on macOS
	return disk{size: int64(fs.Blocks) * block, free: int64(fs.Bavail) * block}, nil
}

// reserve returns how much is kept for the copies that run already and for the agent itself.
func (d disk) reserve() int64 { return min(mostReserve, d.size/20) }

// roomFor refuses a copy that has never run here while the disk of a directory is nearly full:
// what runs already needs the rest, also to be started again.
func (d disk) roomFor(id andon.InstanceID, dir string) error {
	if d.free >= d.reserve() {
		return nil
	}
	return andon.Errorf(andon.KindUnavailable, "copy %s is not started: no space left on device for new copies (%s are free, and %s are kept for those that run)",
		id, mebibytes(d.free), mebibytes(d.reserve())).WithHint("Make room on the disk of %s.", dir)
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// keepBallast holds a file in the agent's directory, until ctx ends, whose room the agent's own
// records take when the disk is full. See withRoom.
func (a *Agent) keepBallast(ctx context.Context) {
	for {
		if err := loadBallast(a.config.Dir); err != nil {
			a.config.Log.Warn("the agent cannot keep room for its records", "error", err)
		}
		if !sleep(ctx, roomEvery) {
			return
		}
	}
}

// loadBallast fills the ballast again if there is room for it.
func loadBallast(dir string) error {
	d, err := readDisk(dir)
	if err != nil {
		return err
	}
	want := min(mostBallast, d.size/100)
	path := filepath.Join(dir, ballastFile)
	if info, err := os.Stat(path); err == nil && info.Size() >= want || d.free < d.reserve() {
		return nil
	}
	return os.WriteFile(path, make([]byte, want), 0o600) // zeros take as much room as others
}

// withRoom makes a record, and once more with the room of the ballast if the disk is full. The
// record lies in a directory of the agent's own.
func withRoom(path string, record func() error) error {
	err := record()
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		return err
	}
	ballast := filepath.Join(filepath.Dir(filepath.Dir(path)), ballastFile)
	if os.Truncate(ballast, 0) != nil {
		return err
	}
	return record()
}
