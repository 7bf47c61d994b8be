package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/andon-cd/andon/e2e/planttest"
)

// A holding place has a file open in every process that it starts, as a shell has that was started
// under a lock.
type holding struct {
	planttest.Place
	file string
}

func (h holding) Command(name string, args ...string) (string, []string) {
	return "/bin/sh", append([]string{"-c", `exec 9>>"$0"; exec "$@"`, h.file, name}, args...)
}

func TestServer_KeepsWhatItInheritedToItself(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	lock := filepath.Join(p.Home, "lock")
	p.At = holding{p.At, lock}
	p.Start()
	p.newShop("sh ./test.sh", "test ! -e /proc/self/fd/9").ShipFirst()
	server := false
	for _, x := range processesOf(p.Data) {
		switch has := hasOpen(x, lock); {
		case strings.Contains(x.Command, " server "):
			server = has
		case has:
			t.Errorf("process %d has the server's file open: %s", x.PID, x.Command)
		}
	}
	if !server {
		t.Error("the server itself does not have the file open")
	}
}

func hasOpen(p process, path string) bool {
	open, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(p.PID), "fd", "*"))
	for _, fd := range open {
		if at, err := os.Readlink(fd); err == nil && at == path {
			return true
		}
	}
	return false
}
