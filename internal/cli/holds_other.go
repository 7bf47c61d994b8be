//go:build !linux

package cli

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// holds reports whether a process has a file open: a process ID alone may be another's by now.
func holds(pid int, path string) bool {
	if pid <= 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "lsof", "-t", "--", path).Output()
	if err != nil {
		return false
	}
	for _, line := range strings.Fields(string(out)) {
		if line == strconv.Itoa(pid) {
			return true
		}
	}
	return false
}
