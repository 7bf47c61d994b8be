// Package confine keeps copies within their limits, with what the host has for that: scopes of
// systemd where it runs the host, and control groups (version 1 or 2) where this process may
// make some. Elsewhere a limit cannot be kept, and Lacks says so.
//
// A copy is put under its limits while its first process still waits, so that nothing of its
// program ever runs outside of them.
package confine

import (
	"fmt"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
)

// DefaultProcesses is how many processes and threads one copy may have if its limits do not say:
// a program that forks without end takes no more than these.
const DefaultProcesses = 4096

// DefaultFiles is how many files one process of a copy may have open at most.
const DefaultFiles = 65536

// A Warden puts copies under limits. Its methods may be called from several goroutines; those
// for one copy are called one after the other.
type Warden interface {
	// String says in words by what limits are kept: it follows "limits are kept by".
	String() string
	// Lacks says which of the limits cannot be kept on this host, and why; empty: none.
	Lacks(limits andon.Limits) string
	// Command returns what to start for a copy to be admitted: it ends with argv, and becomes
	// it in the same process.
	Command(id andon.InstanceID, limits andon.Limits, argv []string) []string
	// Admit puts a process that has been started by Command, and all that it will start, under
	// the limits. A nil Cell means that nothing holds it.
	Admit(id andon.InstanceID, pid int, limits andon.Limits) (*Cell, error)
	// Find returns the cell of a process that was admitted earlier, by another Warden of the
	// same directory; nil: it is in none.
	Find(id andon.InstanceID, pid int) *Cell
	// Sweep removes what is left of copies that are not known any more.
	Sweep(known func(andon.InstanceID) bool)
}

// Memory is what became of a copy for want of memory.
type Memory struct {
	Kills   int  // how many of its processes the kernel has killed
	AtLimit bool // the copy had reached its own limit
	Unknown bool // nothing is left that says so
}

// For returns the best warden that this host has for the copies of a directory. It changes
// nothing of the host before a copy is admitted.
func For(dir string) Warden { return choose(dir) }

// A none keeps no limits.
type none struct{ why string }

func (n none) String() string { return "nothing: " + n.why }

func (n none) Lacks(limits andon.Limits) string {
	if wanted := name(limits); len(wanted) > 0 {
		return "its limits of " + strings.Join(wanted, " and ") + ": " + n.why
	}
	return ""
}

func (n none) Command(_ andon.InstanceID, _ andon.Limits, argv []string) []string { return argv }

func (n none) Admit(_ andon.InstanceID, pid int, _ andon.Limits) (*Cell, error) {
	return nil, restrain(pid)
}

func (n none) Find(andon.InstanceID, int) *Cell { return nil }

func (n none) Sweep(func(andon.InstanceID) bool) {}

// name returns the names of the limits that are set.
func name(l andon.Limits) []string {
	var names []string
	if l.Memory > 0 {
		names = append(names, "memory")
	}
	if l.CPU > 0 {
		names = append(names, "CPU")
	}
	if l.Processes > 0 {
		names = append(names, "processes")
	}
	return names
}

// Bytes says a number of bytes in words, rounded to a tenth.
func Bytes(n int64) string {
	switch {
	case n >= 1<<30:
		return strings.Replace(fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)), ".0 ", " ", 1)
	case n >= 1<<20:
		return strings.Replace(fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)), ".0 ", " ", 1)
	default:
		return fmt.Sprintf("%d KiB", n>>10)
	}
}
