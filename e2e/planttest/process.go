package planttest

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A Process is one that runs now, as /proc shows it.
type Process struct {
	PID     int
	Command string
	Environ map[string]string

	start string // in clock ticks since the boot: with the ID, it names one process for good
}

// ProcessesOf returns the processes that belong to a directory: whose command line, environment
// or working directory names it. This process and ended ones are not among them.
func ProcessesOf(dir string) []Process {
	entries, _ := os.ReadDir("/proc")
	var found []Process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		at := filepath.Join("/proc", entry.Name())
		command, _ := os.ReadFile(filepath.Join(at, "cmdline"))
		environ, _ := os.ReadFile(filepath.Join(at, "environ"))
		cwd, _ := os.Readlink(filepath.Join(at, "cwd"))
		mine := bytes.Contains(command, []byte(dir)) || bytes.Contains(environ, []byte(dir)) || strings.HasPrefix(cwd, dir)
		if !mine || bytes.Contains(environ, []byte(reaperVariable+"=")) {
			continue
		}
		start, alive := startOf(pid)
		if !alive {
			continue
		}
		p := Process{PID: pid, start: start, Command: strings.TrimSpace(strings.ReplaceAll(string(command), "\x00", " ")), Environ: map[string]string{}}
		for variable := range strings.SplitSeq(string(environ), "\x00") {
			if name, value, ok := strings.Cut(variable, "="); ok {
				p.Environ[name] = value
			}
		}
		found = append(found, p)
	}
	return found
}

// dying bounds how long a process that was killed may be seen: the kernel takes its time to end it.
const dying = 10 * time.Second

// LeftOf returns the processes that belong to a directory and stay.
func LeftOf(dir string) []Process {
	ticker := time.NewTicker(25 * time.Millisecond)
	defer ticker.Stop()
	for began := time.Now(); ; <-ticker.C {
		if left := ProcessesOf(dir); len(left) == 0 || time.Since(began) > dying {
			return left
		}
	}
}

// startOf returns when a process started; false: there is none, or it has ended and only its
// parent does not know yet.
func startOf(pid int) (string, bool) {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return "", false
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // from the third on
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return "", false
	}
	return fields[19], true
}

// Alive reports whether that very process runs.
func (p Process) Alive() bool {
	start, ok := startOf(p.PID)
	return ok && start == p.start
}

// With returns those that have a variable in their environment.
func With(all []Process, variable string) []Process {
	var found []Process
	for _, p := range all {
		if p.Environ[variable] != "" {
			found = append(found, p)
		}
	}
	return found
}

// Kill ends one process as a crash would.
func Kill(t testing.TB, p Process) {
	t.Helper()
	if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}
