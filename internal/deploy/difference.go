package deploy

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/andon-cd/andon/internal/andon"
)

// How a key of the configuration differs.
const (
	KeyAdded   = "added"
	KeyChanged = "changed"
	KeyRemoved = "removed"
)

// A KeyDifference is one key of the configuration that differs between two releases. From and To
// are empty for an environment variable: its value may be secret, and is never told.
type KeyDifference struct {
	Key      string
	Change   string
	From, To string
}

// Variables returns which environment variables differ, by name.
func Variables(from, to andon.RunSpec) []KeyDifference {
	var changes []KeyDifference
	for key, value := range to.Env {
		switch before, ok := from.Env[key]; {
		case !ok:
			changes = append(changes, KeyDifference{Key: key, Change: KeyAdded})
		case before != value:
			changes = append(changes, KeyDifference{Key: key, Change: KeyChanged})
		}
	}
	for key := range from.Env {
		if _, ok := to.Env[key]; !ok {
			changes = append(changes, KeyDifference{Key: key, Change: KeyRemoved})
		}
	}
	slices.SortFunc(changes, func(a, b KeyDifference) int { return cmp.Compare(a.Key, b.Key) })
	return changes
}

// Settings returns which settings of a copy differ besides its variables, in the words of
// andon.yaml and the estate. The command is told without its values: it may carry what is secret.
func Settings(from, to andon.RunSpec) []KeyDifference {
	var changes []KeyDifference
	if !slices.Equal(from.Command, to.Command) {
		changes = append(changes, KeyDifference{Key: "command", Change: KeyChanged})
	}
	before := settings(from)
	for i, s := range settings(to) {
		was := before[i].value
		switch {
		case was == s.value:
		case was == "":
			changes = append(changes, KeyDifference{s.key, KeyAdded, "", s.value})
		case s.value == "":
			changes = append(changes, KeyDifference{s.key, KeyRemoved, was, ""})
		default:
			changes = append(changes, KeyDifference{s.key, KeyChanged, was, s.value})
		}
	}
	return changes
}

type setting struct{ key, value string }

// settings returns the settings of a copy as text, always in the same order; empty is what is not
// set.
func settings(s andon.RunSpec) []setting {
	whole := func(n int64) string {
		if n == 0 {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
	sticky := ""
	if s.Requests.Sticky {
		sticky = "true"
	}
	return []setting{
		{"platform", cmp.Or(s.Platform, andon.PlatformProcess)},
		{"port", whole(int64(s.Port))},
		{"health.path", s.Health.Path},
		{"health.interval", andon.Brief(s.Health.Interval)},
		{"health.timeout", andon.Brief(s.Health.Timeout)},
		{"health.start", andon.Brief(s.Health.Start)},
		{"drain", andon.Brief(s.Drain)},
		{"stop", andon.Brief(s.Stop)},
		{"requests.max_body", whole(s.Requests.MaxBody)},
		{"requests.in_flight", whole(s.Requests.InFlight)},
		{"requests.sticky", sticky},
		{"limits.memory", whole(s.Limits.Memory)},
		{"limits.cpu_millicores", whole(int64(s.Limits.CPU))},
		{"limits.processes", whole(int64(s.Limits.Processes))},
	}
}
