package agent

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// portLocks is a file that the agents of this host share: who has locked the byte at a port's
// number has reserved the port. The locks of an agent end with its process.
type portLocks struct{ file *os.File }

// openPortLocks opens the file: one for the whole host as root, one for each user otherwise.
func openPortLocks() (*portLocks, error) {
	path := fmt.Sprintf("/tmp/andon-ports-%d", os.Geteuid())
	if os.Geteuid() == 0 {
		path = "/run/andon/ports"
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	return &portLocks{file: f}, nil
}

// lock reserves a port, and returns false if another agent has it.
func (l *portLocks) lock(port int) bool {
	return l == nil || l.set(unix.F_WRLCK, port) == nil
}

// unlock gives a port back.
func (l *portLocks) unlock(port int) {
	if l != nil {
		_ = l.set(unix.F_UNLCK, port) // fails for no lock that was given
	}
}

func (l *portLocks) set(kind int16, port int) error {
	// Of the open file, not of the process: two agents may be in one.
	err := unix.FcntlFlock(l.file.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{
		Type: kind, Whence: io.SeekStart, Start: int64(port), Len: 1,
	})
	if err != nil {
		return fmt.Errorf("port %s: %w", strconv.Itoa(port), err)
	}
	return nil
}

// Close gives all ports back.
func (l *portLocks) Close() error {
	if l == nil {
		return nil
	}
	return l.file.Close()
}
