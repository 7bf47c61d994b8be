package haproxy

import (
	"strconv"
	"strings"
)

// A reading is what HAProxy has counted of one backend since it started.
type reading struct {
	began    int64 // requests that came to the backend
	inFlight int64 // of those, not ended; upgraded connections too
	upgraded int64 // connections upgraded, as soon as they were
	streams  int64 // those and streams of events, as soon as their heads came
	slots    map[int]slotReading
}

// A slotReading is what HAProxy has counted of one server.
type slotReading struct {
	inFlight int64
	moved    int64 // requests that could not be sent there and went to another
}

// manyNames is from how many backends on it is cheaper to read all of them at once: each command
// has the names of all columns in its answer.
const manyNames = 32

// readCommands read the named backends, or all, and those of their servers that take requests: the
// others are most of the pool.
func readCommands(names []string) []string {
	commands := []string{"show table live"}
	if len(names) >= manyNames {
		return append(commands, "show stat -1 6 -1 no-maint")
	}
	for _, name := range names {
		commands = append(commands, "show stat "+name+" 6 -1 no-maint")
	}
	return commands
}

// parseReadings understands what readCommands answer. Lines of another shape are passed over.
func parseReadings(text string) map[string]*reading {
	readings := map[string]*reading{}
	of := func(name string) *reading {
		r := readings[name]
		if r == nil {
			r = &reading{slots: map[int]slotReading{}}
			readings[name] = r
		}
		return r
	}
	var stot, scur, wredis int
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "# pxname,"):
			for i, column := range strings.Split(line, ",") {
				switch column {
				case "stot":
					stot = i
				case "scur":
					scur = i
				case "wredis":
					wredis = i
				}
			}
		case strings.HasPrefix(line, "0x"):
			parseLive(line, of)
		default:
			f := strings.Split(line, ",")
			if stot == 0 || scur == 0 || wredis == 0 || len(f) <= max(stot, scur, wredis) {
				continue
			}
			r := of(f[0])
			if f[1] == "BACKEND" {
				r.began, r.inFlight = number(f[stot]), number(f[scur])
			} else if n := slotNumber(f[1]); n > 0 {
				r.slots[n] = slotReading{number(f[scur]), number(f[wredis])}
			}
		}
	}
	return readings
}

// parseLive reads a line of the table of upgraded connections and streams:
// 0x…: key=b3 use=1 exp=0 shard=0 gpc0=1 gpc1=2.
func parseLive(line string, of func(string) *reading) {
	var r *reading
	for _, field := range strings.Fields(line) {
		switch name, value, _ := strings.Cut(field, "="); name {
		case "key":
			r = of(value)
		case "gpc0":
			if r != nil {
				r.upgraded = number(value)
			}
		case "gpc1":
			if r != nil {
				r.streams = number(value)
			}
		}
	}
}

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0 // an empty column
	}
	return n
}

// slotNumber returns the n of the server sn, 0 if it has another name.
func slotNumber(server string) int {
	digits, ok := strings.CutPrefix(server, "s")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil {
		return 0
	}
	return n
}
