package runner

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// identify reads what tells the process from every other one.
func identify(pid int) (identity, error) {
	stat, err := statOf(pid)
	if err != nil {
		return identity{}, err
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return identity{}, err
	}
	return identity{PID: pid, Start: stat[statStart], Boot: strings.TrimSpace(string(boot))}, nil
}

// Fields of /proc/PID/stat (proc(5)), counted from the one behind the command's name.
const (
	statState = 0
	statGroup = 2
	statStart = 19
)

// statOf returns the fields of /proc/PID/stat behind the command's name, which may hold anything.
func statOf(pid int) ([]string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) <= statStart {
		return nil, fmt.Errorf("/proc/%d/stat has an unknown form", pid)
	}
	return fields, nil
}

// groupRuns reports whether a process group has members, except one, that are not dead. The dead
// ones that nobody waits for stay for good where the first process of a container does not reap them.
func groupRuns(pgid, except int) bool {
	if syscall.Kill(-pgid, 0) != nil {
		return false
	}
	for _, pid := range processes() {
		if pid == except {
			continue
		}
		stat, err := statOf(pid)
		if err == nil && stat[statGroup] == strconv.Itoa(pgid) && !dead(stat) {
			return true
		}
	}
	return false
}

// strayRounds bounds how often processes are looked for that were started while the others were
// being killed.
const strayRounds = 100

// killStrays kills the processes of the task in a workspace that left its group, and returns when
// they are gone. Only processes with a greater number than after are looked at.
func killStrays(workspace string, after int) {
	want := []byte("\x00" + stray + "=" + workspace + "\x00")
	for range strayRounds {
		var found []identity
		for _, pid := range processes() {
			if pid <= after || pid == os.Getpid() || !hasVariable(pid, want) {
				continue
			}
			if id, err := identify(pid); err == nil && syscall.Kill(pid, syscall.SIGKILL) == nil {
				found = append(found, id)
			}
		}
		if len(found) == 0 {
			return
		}
		for _, id := range found {
			gone(dying, func() bool { return !id.runs() })
		}
	}
}

// runs reports whether the process is there and not dead. One that was killed loses its environment
// first, and keeps its files and sockets until its turn has come.
func (i identity) runs() bool {
	stat, err := statOf(i.PID)
	return err == nil && stat[statStart] == i.Start && !dead(stat)
}

// dead reports whether what is known of a process (statOf) is that it has ended.
func dead(stat []string) bool { return stat[statState] == "Z" || stat[statState] == "X" }

// newestProcess returns the number that was given last, 0 if the system does not tell: of the five
// words of /proc/loadavg (proc(5)), the last.
func newestProcess() int {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	words := strings.Fields(string(text))
	if len(words) != 5 {
		return 0
	}
	pid, err := strconv.Atoi(words[4])
	if err != nil {
		return 0
	}
	return pid
}

// hasVariable reports whether NAME=VALUE between zero bytes is in the environment of a process.
func hasVariable(pid int, want []byte) bool {
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return err == nil && len(env) > 0 && bytes.Contains(append([]byte{0}, env...), want)
}

func processes() []int {
	d, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil
	}
	pids := make([]int, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
