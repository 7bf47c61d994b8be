package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform/process/confine"
	"github.com/andon-cd/andon/internal/server"
	"github.com/andon-cd/andon/internal/traffic/haproxy"
)

const (
	leastFree  = 1 << 30 // bytes on the disk of the data directory
	leastFiles = 1024    // open files of one process
	mostSkew   = 5 * time.Second
)

var gitVersion = regexp.MustCompile(`git version (\d+)\.(\d+)`)

func checkGit(ctx context.Context) finding {
	f := finding{Check: "git", Advice: "Install git 2.30 or newer: checkouts, pushes and watching need it."}
	out := ask(ctx, ".", "--version")
	m := gitVersion.FindStringSubmatch(out)
	if m == nil {
		f.Found = "The program git is not found, or does not work."
		return f
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	f.Found = out + "."
	if f.OK = major > 2 || major == 2 && minor >= 30; f.OK {
		f.Advice = ""
	}
	return f
}

func checkBackend(ctx context.Context) finding {
	f := finding{Check: "git over HTTP", Advice: "Install the whole of git, with git-http-backend: pushes to the plant need it."}
	path := filepath.Join(ask(ctx, ".", "--exec-path"), "git-http-backend")
	if info, err := os.Stat(path); err != nil || info.Mode()&0o111 == 0 {
		f.Found = "git http-backend is missing."
		return f
	}
	return finding{Check: f.Check, OK: true, Found: path + " is there."}
}

func checkShell(ctx context.Context) finding {
	ctx, cancel := context.WithTimeout(ctx, gitTimeout)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "/bin/sh", "-e", "-c", "echo works").Output(); err != nil || string(out) != "works\n" {
		return finding{Check: "shell", Found: "/bin/sh does not work.", Advice: "Steps run in it: install a POSIX shell there."}
	}
	return finding{Check: "shell", OK: true, Found: "/bin/sh works."}
}

// checkDirectory looks at the data directory, or at where it will be made.
func checkDirectory(dir string) []finding {
	f := finding{Check: "data directory", Found: dir + " can be used."}
	there := dir
	for {
		info, err := os.Stat(there)
		if err == nil && !info.IsDir() {
			f.Found, f.Advice = there+" is not a directory.", "Choose another one with --data."
			return []finding{f}
		}
		if err == nil || there == filepath.Dir(there) {
			break
		}
		there = filepath.Dir(there)
	}
	if err := unix.Access(there, unix.W_OK|unix.X_OK); err != nil {
		f.Found, f.Advice = there+" cannot be written: "+err.Error()+".", "Choose another directory with --data, or correct its permissions."
		return []finding{f}
	}
	if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o077 != 0 {
		f.Found, f.Advice = dir+" can be read by other users.", "It holds secrets: chmod 700 "+quoted(dir)+"."
		return []finding{f}
	}
	f.OK = true
	return []finding{f, checkSpace(there)}
}

func checkSpace(dir string) finding {
	f := finding{Check: "disk"}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		f.Found, f.Advice = "The free space cannot be read: "+err.Error()+".", "See that the disk works."
		return f
	}
	free := int64(fs.Bavail) * int64(fs.Bsize) //nolint:unconvert // 32 bits on macOS
	f.OK, f.Found = free >= leastFree, bytesWords(free)+" are free."
	if !f.OK {
		f.Advice = "A plant keeps artifacts and logs: make room for at least " + bytesWords(leastFree) + "."
	}
	return f
}

// checkPorts sees whether a plant could listen; one that runs already is fine too.
func checkPorts(c *call, dir string) []finding {
	if d := server.Directory(dir); isDir(dir) && d.Held() {
		if a, err := d.ReadAddresses(); err == nil {
			return []finding{{Check: "ports", OK: true, Found: fmt.Sprintf("A plant runs at %s, its proxy at %s.", a.URL, a.Proxy)}}
		}
	}
	var findings []finding
	for _, port := range []struct{ flag, address string }{{"--listen", defaultListen}, {"--proxy", defaultProxy}} {
		f := finding{Check: "ports", OK: true, Found: port.address + " is free."}
		var config net.ListenConfig
		l, err := config.Listen(c.ctx, "tcp", port.address)
		if err != nil {
			f.OK, f.Found, f.Advice = false, port.address+" is taken by another program.", "Choose another address with `andon server "+port.flag+" ADDR`."
		} else {
			l.Close()
		}
		findings = append(findings, f)
	}
	return findings
}

// checkTraffic looks at what is to move the requests. The built-in proxy needs nothing; whether
// HAProxy could be used instead is said then.
func checkTraffic(ctx context.Context, wanted string) (finding, error) {
	useHAProxy, program, err := (&proxyFlags{Traffic: wanted}).chosen()
	if err != nil {
		return finding{}, err
	}
	path, version, err := haproxy.Find(ctx, program)
	f := finding{Check: "traffic", OK: err == nil || !useHAProxy}
	switch problem, _ := errors.AsType[*andon.Error](err); {
	case err == nil && useHAProxy:
		f.Found = fmt.Sprintf("%s is HAProxy %s.", path, version)
	case err == nil:
		f.Found = fmt.Sprintf("The built-in proxy moves the requests; %s is HAProxy %s, which --traffic haproxy would take.", path, version)
	case !useHAProxy:
		f.Found = "The built-in proxy moves the requests."
	case problem != nil:
		f.Found, f.Advice = problem.Message, problem.Hint
	default:
		f.Found = err.Error()
	}
	return f, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func checkFiles() finding {
	f := finding{Check: "open files"}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		f.Found, f.Advice = "The limit cannot be read.", "See `ulimit -n`."
		return f
	}
	f.OK, f.Found = limit.Cur >= leastFiles, fmt.Sprintf("One process may open %d files.", limit.Cur)
	if !f.OK {
		f.Advice = fmt.Sprintf("The proxy needs more when there is much traffic: ulimit -n %d, or more.", leastFiles)
	}
	return f
}

// checkLimits says whether this host can keep copies within the limits of an environment. A plant
// works without, as long as no environment demands any.
func checkLimits(dir string) finding {
	f := finding{Check: "limits", OK: true}
	kept := confine.For(dir)
	f.Found = "Copies that are processes are kept within their limits by " + kept.String() + "."
	if kept.Lacks(andon.Limits{Memory: 1, CPU: 1, Processes: 1}) != "" {
		f.Advice = "An environment with limits that are not kept here needs platform docker, or an agent that runs as root on Linux."
	}
	return f
}

// checkClock compares this machine's clock with the plant's, if one answers.
func checkClock(c *call) finding {
	now := time.Now()
	f := finding{Check: "clock", OK: true, Found: "It is " + now.UTC().Format(time.RFC3339) + " here."}
	if now.Year() < 2025 {
		f.OK, f.Advice = false, "That cannot be: set the clock, and keep it with NTP."
		return f
	}
	there, err := plantClock(c)
	if err != nil {
		return f
	}
	if skew := there.Sub(now); skew.Abs() > mostSkew {
		f.OK, f.Found = false, fmt.Sprintf("This clock and the plant's differ by %s.", span(skew.Abs()))
		f.Advice = "Keep both with NTP: times of logs and records would be wrong."
	}
	return f
}

// plantClock returns the time that the plant says it is, to the second.
func plantClock(c *call) (time.Time, error) {
	p, err := c.plant()
	if err != nil {
		return time.Time{}, err
	}
	ctx, cancel := context.WithTimeout(c.ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+"/healthz", nil)
	if err != nil {
		return time.Time{}, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return time.Time{}, err
	}
	defer resp.Body.Close()
	if resp.Header.Get("Date") == "" {
		return time.Time{}, errors.New("no date")
	}
	return http.ParseTime(resp.Header.Get("Date"))
}
