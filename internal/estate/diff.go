package estate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/form"
)

// A Change is one thing that differs between two estates.
type Change struct {
	Environment andon.EnvironmentName `json:"environment"`
	// Key is what differs, as it is written in the file; empty: the whole environment is new, or gone.
	Key    string `json:"key,omitempty"`
	Before string `json:"before,omitempty"` // empty: there was nothing
	After  string `json:"after,omitempty"`  // empty: there is nothing any more
}

// Diff returns what differs between the environments of two estates, by environment and key.
func Diff(before, after []andon.Environment) []Change {
	old, now := byName(before), byName(after)
	names := slices.Collect(maps.Keys(old))
	for name := range now {
		if _, both := old[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var changes []Change
	for _, name := range names {
		was, wasThere := old[name]
		is, isThere := now[name]
		switch {
		case !wasThere:
			changes = append(changes, Change{Environment: name, After: Sentence(is)})
		case !isThere:
			changes = append(changes, Change{Environment: name, Before: Sentence(was)})
		default:
			changes = append(changes, differences(was, is)...)
		}
	}
	return changes
}

func byName(all []andon.Environment) map[andon.EnvironmentName]andon.Environment {
	m := make(map[andon.EnvironmentName]andon.Environment, len(all))
	for _, e := range all {
		m[e.Name] = e
	}
	return m
}

func differences(was, is andon.Environment) []Change {
	var changes []Change
	before := values(was)
	for i, v := range values(is) {
		if v.text != before[i].text {
			changes = append(changes, Change{Environment: is.Name, Key: v.key, Before: before[i].text, After: v.text})
		}
	}
	return changes
}

// String returns the change as a line of a diff.
func (c Change) String() string {
	switch {
	case c.Key == "" && c.Before == "":
		return fmt.Sprintf("+ %s: %s", c.Environment, c.After)
	case c.Key == "" && c.After == "":
		return fmt.Sprintf("- %s: %s", c.Environment, c.Before)
	default:
		return fmt.Sprintf("~ %s: %s: %s → %s", c.Environment, c.Key, orNothing(c.Before), orNothing(c.After))
	}
}

func orNothing(s string) string { return cmp.Or(s, "–") }

// Sentence says what an environment is: every key that is not empty.
func Sentence(e andon.Environment) string {
	var parts []string
	for _, v := range Settings(e) {
		parts = append(parts, v.Key+" "+v.Value)
	}
	return strings.Join(parts, ", ")
}

// A Setting is one key of an environment as people read it.
type Setting struct{ Key, Value string }

// Settings returns what an environment says of itself: every key that is not empty, in the order of
// its file.
func Settings(e andon.Environment) []Setting {
	var all []Setting
	for _, v := range values(e) {
		if v.text != "" {
			all = append(all, Setting{v.key, v.text})
		}
	}
	return all
}

// Compare returns what differs between two environments of one plant, key by key.
func Compare(one, other andon.Environment) []Change { return differences(one, other) }

// A value is one key of an environment as people read it.
type value struct{ key, text string }

// values returns every key, always the same ones in the same order.
func values(e andon.Environment) []value {
	return []value{
		{"strategy", string(e.Strategy)},
		{"max_unavailable", number(e.MaxUnavailable)},
		{"max_surge", number(e.MaxSurge)},
		{"steps", steps(e.Canary)},
		{"warm", span(e.Warm)},
		{"soak", span(e.Soak)},
		{"watch", watch(e.Watch)},
		{"route", strings.Join(append([]string{e.Hosts}, e.Aliases...), " ")},
		{"routes", routes(e.Routes)},
		{"platform", cmp.Or(e.Platform, andon.PlatformProcess)},
		{"hosts", selector(e.Place)},
		{"edge", selector(e.Edge)},
		{"limits.memory", size(e.Limits.Memory)},
		{"limits.cpu", cores(e.Limits.CPU)},
		{"limits.processes", number(e.Limits.Processes)},
		{"limits.instances", number(e.MostInstances)},
	}
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func size(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return form.FormatSize(bytes)
}

func cores(milli int) string {
	if milli == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(milli)/1000, 'f', -1, 64)
}

func routes(all map[andon.ServiceName][]string) string {
	words := make([]string, 0, len(all))
	for _, service := range slices.Sorted(maps.Keys(all)) {
		words = append(words, string(service)+" "+strings.Join(all[service], " "))
	}
	return strings.Join(words, ", ")
}

func span(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return andon.Brief(d)
}

func steps(all []andon.CanaryStep) string {
	words := make([]string, len(all))
	for i, s := range all {
		words[i] = fmt.Sprintf("%d %% for %s", s.Weight, andon.Brief(s.Pause))
	}
	return strings.Join(words, ", then ")
}

func watch(w *andon.Watch) string {
	if w == nil {
		return ""
	}
	text := fmt.Sprintf("%g points more errors", w.Errors)
	if w.Latency > 0 {
		text += fmt.Sprintf(" or %g times the latency", w.Latency)
	}
	return fmt.Sprintf("%s, after %d requests", text, w.Least)
}

func selector(s andon.Selector) string {
	var words []string
	for _, name := range s.Agents {
		words = append(words, string(name))
	}
	for _, key := range slices.Sorted(maps.Keys(s.Labels)) {
		words = append(words, key+"="+s.Labels[key])
	}
	return strings.Join(words, " ")
}
