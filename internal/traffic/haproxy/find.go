package haproxy

import (
	"context"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// The oldest HAProxy that can be told everything while it runs.
const (
	oldestMajor = 2
	oldestMinor = 6
)

// findTimeout bounds how long a program may take to say its version.
const findTimeout = 10 * time.Second

// besidePath are where a HAProxy may be that the PATH of an ordinary user does not lead to.
var besidePath = [...]string{"/usr/sbin/haproxy", "/usr/local/sbin/haproxy"}

var versionLine = regexp.MustCompile(`^HA-?Proxy version ((\d+)\.(\d+)\S*)`)

// Find returns the path of a HAProxy that the driver can use, and its version. An empty program
// is the one of the PATH, or of the directories for administrators. An error is of kind invalid
// and says what to do.
func Find(ctx context.Context, program string) (path, version string, err error) {
	if path, err = locate(program); err != nil {
		return "", "", err
	}
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	said, err := exec.CommandContext(ctx, path, "-v").Output()
	found := versionLine.FindSubmatch(said)
	if found == nil {
		return "", "", andon.Errorf(andon.KindInvalid, "%s does not say that it is a HAProxy.", path).Because(err).
			WithHint("Name the program of HAProxy, 2.6 or later, or use the built-in proxy.")
	}
	version = string(found[1])
	major, _ := strconv.Atoi(string(found[2]))
	minor, _ := strconv.Atoi(string(found[3]))
	if major < oldestMajor || major == oldestMajor && minor < oldestMinor {
		return "", "", andon.Errorf(andon.KindInvalid, "%s is HAProxy %s, which is too old.", path, version).
			WithHint("Install HAProxy %d.%d or later, or use the built-in proxy.", oldestMajor, oldestMinor)
	}
	return path, version, nil
}

func locate(program string) (path string, err error) {
	if program != "" {
		path, err = exec.LookPath(program)
	} else {
		path, err = exec.LookPath("haproxy")
		for _, beside := range besidePath {
			if err == nil {
				break
			}
			path, err = exec.LookPath(beside)
		}
		program = "haproxy"
	}
	if err != nil {
		return "", andon.Errorf(andon.KindInvalid, "There is no program %q.", program).Because(err).
			WithHint("Install HAProxy %d.%d or later, or use the built-in proxy, which needs nothing.", oldestMajor, oldestMinor)
	}
	return path, nil
}
