package confine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The controllers that limits need.
const (
	memory    = "memory"
	cpu       = "cpu"
	processes = "pids"
)

var controllers = []string{memory, cpu, processes} //nolint:gochecknoglobals // a constant

// A hierarchy is one tree of control groups, as it is mounted here.
type hierarchy struct {
	mount       string   // its directory
	root        string   // which group of the tree that directory is
	controllers []string // of ours, that it has
	unified     bool     // version 2
}

// hierarchies is those that have a controller of ours.
type hierarchies []hierarchy

// findHierarchies reads where control groups are mounted.
func findHierarchies() (hierarchies, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	found := parseMounts(string(mounts))
	for i := range found {
		if found[i].unified {
			found[i].controllers = read(filepath.Join(found[i].mount, "cgroup.controllers")).ours()
		}
	}
	found = slices.DeleteFunc(found, func(h hierarchy) bool { return len(h.controllers) == 0 })
	if len(found) == 0 {
		return nil, errors.New("no control groups are mounted")
	}
	return found, nil
}

// parseMounts returns the hierarchies of a mountinfo, see proc(5). Which controllers those of
// version 2 have, they say themselves.
func parseMounts(mountinfo string) hierarchies {
	var found hierarchies
	for line := range strings.Lines(mountinfo) {
		where, what, ok := strings.Cut(strings.TrimSpace(line), " - ")
		fields, kind := strings.Fields(where), strings.Fields(what)
		if !ok || len(fields) < 5 || len(kind) < 3 {
			continue
		}
		h := hierarchy{root: unescape(fields[3]), mount: unescape(fields[4])}
		switch kind[0] {
		case "cgroup2":
			h.unified = true
		case "cgroup":
			h.controllers = text(strings.ReplaceAll(kind[2], ",", " ")).ours()
		default:
			continue
		}
		found = append(found, h)
	}
	return found
}

// unescape replaces what mountinfo writes for spaces and the like.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// with returns the hierarchy that has a controller, and whether there is one.
func (hs hierarchies) with(controller string) (hierarchy, bool) {
	i := slices.IndexFunc(hs, func(h hierarchy) bool { return slices.Contains(h.controllers, controller) })
	if i < 0 {
		return hierarchy{}, false
	}
	return hs[i], true
}

// groups returns the directories of the groups that a process is in, by controller.
func (hs hierarchies) groups(pid int) (map[string]string, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return nil, err
	}
	dirs := make(map[string]string, len(controllers))
	for line := range strings.Lines(string(b)) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) != 3 {
			return nil, fmt.Errorf("/proc/%d/cgroup has an unknown form", pid)
		}
		for _, h := range hs {
			for _, c := range h.controllers {
				if fields[1] == "" && h.unified || !h.unified && slices.Contains(strings.Split(fields[1], ","), c) {
					dirs[c] = h.directory(fields[2])
				}
			}
		}
	}
	return dirs, nil
}

// directory returns where a group of the tree is to be found.
func (h hierarchy) directory(group string) string {
	if h.root != "/" {
		group = strings.TrimPrefix(group, h.root)
	}
	return filepath.Join(h.mount, group)
}

// A text is the content of a file of the kernel's.
type text string

// read returns the content of a file, empty if it cannot be read.
func read(path string) text {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return text(strings.TrimSpace(string(b)))
}

// ours returns the controllers among the words that limits need.
func (t text) ours() []string {
	var found []string
	for _, word := range strings.Fields(string(t)) {
		if slices.Contains(controllers, word) {
			found = append(found, word)
		}
	}
	return found
}

// value returns the number behind a key, 0 if it is not there.
func (t text) value(key string) int {
	for line := range strings.Lines(string(t)) {
		if rest, ok := strings.CutPrefix(line, key+" "); ok {
			n, err := strconv.Atoi(strings.TrimSpace(rest))
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}

// number returns the content as a number, 0 if it is none ("max", for example).
func (t text) number() int64 {
	n, err := strconv.ParseInt(string(t), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// write sets a file of the kernel's.
func write(dir, file, value string) error {
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}
