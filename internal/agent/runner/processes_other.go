//go:build !linux

package runner

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// identify asks the kernel what tells the process from every other one.
func identify(pid int) (identity, error) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return identity{}, err
	}
	boot, err := unix.SysctlTimeval("kern.boottime")
	if err != nil {
		return identity{}, err
	}
	start := info.Proc.P_starttime
	return identity{PID: pid, Start: fmt.Sprintf("%d.%06d", start.Sec, start.Usec), Boot: fmt.Sprint(boot.Sec)}, nil
}

// killStrays does nothing where the environment of other processes cannot be read: a process that
// leaves its group outlives its task there.
func killStrays(string, int) {}

// newestProcess is of no use where nothing is looked for among the processes.
func newestProcess() int { return 0 }

// zombie is the state of a process that is dead and not yet waited for (sys/proc.h).
const zombie = 5

// groupRuns reports whether a process group has members, except one, that are not dead.
func groupRuns(pgid, except int) bool {
	members, err := unix.SysctlKinfoProcSlice("kern.proc.pgrp", pgid)
	return err == nil && slices.ContainsFunc(members, func(p unix.KinfoProc) bool {
		return int(p.Proc.P_pid) != except && p.Proc.P_stat != zombie
	})
}
