package runner

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// identify reads what tells the process from every other one (proc(5): field 22 of stat).
func identify(pid int) (identity, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return identity{}, err
	}
	_, rest, ok := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')'):]), " ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 20 {
		return identity{}, fmt.Errorf("/proc/%d/stat has an unknown form", pid)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return identity{}, err
	}
	return identity{PID: pid, Start: fields[19], Boot: strings.TrimSpace(string(boot))}, nil
}

// strayRounds bounds how often processes are looked for that were started while the others were
// being killed.
const strayRounds = 10

// killStrays kills processes of the task in a workspace that left its group. Only processes that are younger
// than the leader can be such; leader 0, or process numbers that began again, means all.
func killStrays(workspace string, leader int) {
	if last := lastPID(); last < leader {
		leader = 0
	}
	want := []byte("\x00" + stray + "=" + workspace + "\x00")
	for range strayRounds {
		found := false
		for _, pid := range processes() {
			if pid <= leader || pid == os.Getpid() {
				continue
			}
			env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
			if err == nil && bytes.Contains(append([]byte{0}, env...), want) {
				found = true
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		if !found {
			return
		}
	}
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

// lastPID returns the number of the newest process (proc(5): last field of loadavg).
func lastPID() int {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(data))
	if len(fields) == 0 {
		return 0
	}
	pid, err := strconv.Atoi(fields[len(fields)-1])
	if err != nil {
		return 0
	}
	return pid
}
