package cli

import (
	"os"
	"path/filepath"
	"strconv"
)

// holds reports whether a process has a file open: a process ID alone may be another's by now.
func holds(pid int, path string) bool {
	if pid <= 0 {
		return false
	}
	want, err := os.Stat(path)
	if err != nil {
		return false
	}
	open, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "fd", "*"))
	for _, fd := range open {
		if info, err := os.Stat(fd); err == nil && os.SameFile(info, want) {
			return true
		}
	}
	return false
}
