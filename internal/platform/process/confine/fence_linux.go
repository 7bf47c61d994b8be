package confine

import (
	"path/filepath"
	"strings"
)

// What is left of the memory to the plant itself and the rest of the host.
const (
	leastKept = 256 << 20
	mostKept  = 2 << 30
)

// A fence is what all copies of a plant together may take of the host, so that none of them,
// limited or not, takes what the agent, the proxy and the server need.
type fence struct {
	memory    int64
	processes int64
}

// hostFence returns the fence of this host, with what the groups that the plant is in have.
func hostFence(groups map[string]string) fence {
	most := memTotal(string(read("/proc/meminfo")))
	if dir := groups[memory]; dir != "" {
		// Version 1 says what binds a group; in version 2 each group above has its own.
		if bound := read(filepath.Join(dir, "memory.stat")).value("hierarchical_memory_limit"); bound > 0 {
			most = min(most, int64(bound))
		}
		for at := dir; strings.Count(at, "/") > 2; at = filepath.Dir(at) {
			if bound := read(filepath.Join(at, "memory.max")).number(); bound > 0 {
				most = min(most, bound)
			}
		}
	}
	return fence{memory: memoryFence(most), processes: processFence(
		read("/proc/sys/kernel/pid_max").number(), read("/proc/sys/kernel/threads-max").number())}
}

// memoryFence returns what copies may take of so much memory.
func memoryFence(total int64) int64 {
	kept := min(max(total/10, leastKept), mostKept)
	return max(total-kept, total/2)
}

// processFence returns how many of a host's processes may be copies'.
func processFence(most ...int64) int64 {
	least := int64(4 << 20) // the kernel has no more in any case
	for _, m := range most {
		if m > 0 {
			least = min(least, m)
		}
	}
	return least / 4 * 3
}

// memTotal reads the first line of /proc/meminfo, "MemTotal:       24684096 kB", as bytes.
func memTotal(meminfo string) int64 {
	for line := range strings.Lines(meminfo) {
		fields := strings.Fields(line)
		if len(fields) >= 2 && fields[0] == "MemTotal:" {
			return text(fields[1]).number() << 10
		}
	}
	return 0
}
