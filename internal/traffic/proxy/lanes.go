package proxy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// A laneLock says that a running process counts in that lane: the kernel lets go of it when
// the process dies, however it dies.
type laneLock struct {
	number int
	file   *os.File
}

// lockLane takes a lane that no process counts in. Two proxies may run at a time, one of which
// is about to end; lockLane waits for that until ctx ends.
func lockLane(ctx context.Context, dir string) (*laneLock, error) {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		for n := range 2 {
			lock, err := tryLane(dir, n)
			if lock != nil || err != nil {
				return lock, err
			}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("two proxies run already in %s: %w", dir, ctx.Err())
		case <-ticker.C:
		}
	}
}

// tryLane returns nil without an error if a process counts in the lane.
func tryLane(dir string, n int) (*laneLock, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lane."+strconv.Itoa(n)), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return &laneLock{number: n, file: f}, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, fmt.Errorf("lock lane %d: %w", n, err)
}

func (l *laneLock) unlock() { l.file.Close() }
