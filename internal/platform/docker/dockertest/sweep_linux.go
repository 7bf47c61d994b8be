package dockertest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// guardVariable makes a test binary the guard of a directory.
const guardVariable = "ANDON_DOCKERTEST_GUARD"

// Guard starts a process that outlives this one, however this one ends, and then removes the
// directory with all Engines in it. The binary's TestMain calls Guarding first. release ends
// this and returns when all is removed.
func Guard(dir string) (release func(), err error) {
	guard := exec.Command(os.Args[0])
	guard.Env = append(os.Environ(), guardVariable+"="+dir)
	guard.Stderr = os.Stderr
	guard.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a Ctrl-C is not for it
	lifeline, err := guard.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := guard.Start(); err != nil {
		return nil, err
	}
	return func() {
		lifeline.Close()
		_ = guard.Wait() // it has said what is wrong
	}, nil
}

// Guarding reports whether this process is a guard; it returns when its work is done.
func Guarding() bool {
	dir := os.Getenv(guardVariable)
	if dir == "" {
		return false
	}
	_, _ = io.Copy(io.Discard, os.Stdin)                       // until the process that is guarded has ended
	logs, _ := filepath.Glob(filepath.Join(dir, "*", logFile)) // an Engine may have removed its socket
	for _, log := range logs {
		Sweep(filepath.Dir(log))
	}
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, "dockertest:", err)
	}
	return true
}

// Sweep kills whatever is left of an Engine: its daemons and containers, mounts and control
// groups. Its files stay.
func Sweep(dir string) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 250 {
		left := processes(dir)
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if len(left) == 0 {
			break
		}
		<-tick.C
	}
	unmount(dir)
	for _, name := range groups(dir) {
		hierarchies, _ := filepath.Glob("/sys/fs/cgroup/*/" + name) // where each controller has one
		for _, path := range append(hierarchies, "/sys/fs/cgroup/"+name) {
			removeGroups(path)
		}
	}
}

// groups returns the control groups that the containers of the Engine in a directory are in.
func groups(dir string) []string {
	const podmans = "libpod_parent/" // of all Podmans of a machine
	all := []string{group(dir)}
	for _, name := range podmanContainers(dir) {
		all = append(all, podmans+name)
	}
	return all
}

// processes returns the Engine in a directory, with what it has started: both have the directory
// in their arguments, or a control group of the Engine's.
func processes(dir string) []int {
	entries, _ := os.ReadDir("/proc")
	ours := groups(dir)
	var found []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		command, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		in, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "cgroup"))
		if bytes.Contains(command, []byte(dir+"/")) || slices.ContainsFunc(ours, func(name string) bool { return bytes.Contains(in, []byte("/"+name)) }) {
			found = append(found, pid)
		}
	}
	return found
}

// unmount detaches all that is mounted below a directory, what was mounted last first.
func unmount(dir string) {
	f, err := os.Open("/proc/self/mounts")
	if err != nil {
		return
	}
	defer f.Close()
	var mounts []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 1 && strings.HasPrefix(fields[1], dir+"/") {
			mounts = append(mounts, fields[1])
		}
	}
	for _, mount := range slices.Backward(mounts) {
		_ = syscall.Unmount(mount, syscall.MNT_DETACH)
	}
}

// removeGroups removes a control group with those below it. None has a process any more.
func removeGroups(path string) {
	var groups []string
	_ = filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			groups = append(groups, path)
		}
		return nil //nolint:nilerr // what is not there needs no removal
	})
	for _, group := range slices.Backward(groups) {
		_ = syscall.Rmdir(group)
	}
}
