package logs

import (
	"bytes"
	"time"
)

// How builds write that a group of lines begins and ends, GitHub's and Azure's way, and how our
// own runner writes that a step begins.
var groupMarkers = []struct {
	text string
	kind kind
}{
	{"::group::", groupBegin}, {"::endgroup::", groupEnd},
	{"##[group]", groupBegin}, {"##[endgroup]", groupEnd},
	{"##[step] ", stepBegin},
}

const longestMarker = len("##[endgroup]")

// A Group is lines that belong together: a step, or a group that a build wrote, which lies within
// one step or outside of all. Groups do not contain each other, nor do steps: one that begins while
// another is open ends that.
type Group struct {
	First, Last int64 // numbers of its first line, which names it, and of its last
	Step        bool
	Open        bool // it has not ended: Last is the log's last line
	Began       time.Time
	Ended       time.Time // of an open one: zero
}

// Groups returns the groups of a log, in order: at most 8192 of them.
func (s *Store) Groups(name string) (groups []Group, err error) {
	release, err := s.use(name, false, func(st *stream) error {
		info, err := st.info()
		if err == nil {
			groups = groupsOf(st.index.groups, info)
		}
		return err
	})
	release()
	return groups, err
}

func groupsOf(marks []mark, info Info) []Group {
	var groups []Group
	step, group := -1, -1 // those that are open
	end := func(which *int, last int64, at time.Time) {
		if *which >= 0 {
			g := &groups[*which]
			g.Last, g.Ended, g.Open = last, at, false
		}
		*which = -1
	}
	for _, m := range marks {
		at := moment(m.at)
		if m.kind == groupEnd {
			end(&group, m.line+1, at) // the line that ends it belongs to it
			continue
		}
		end(&group, m.line, at)
		which := &group
		if m.kind == stepBegin {
			end(&step, m.line, at)
			which = &step
		}
		*which = len(groups)
		groups = append(groups, Group{First: m.line + 1, Last: info.Lines, Step: m.kind == stepBegin, Open: true, Began: at})
	}
	if info.Finished {
		end(&group, info.Lines, info.Modified.UTC())
		end(&step, info.Lines, info.Modified.UTC())
	}
	return groups
}

// GroupName returns the name in a line that begins a group or a step.
func GroupName(line []byte) (name []byte, ok bool) {
	for _, m := range groupMarkers {
		if rest, found := bytes.CutPrefix(line, []byte(m.text)); found && m.kind != groupEnd {
			return rest, true
		}
	}
	return nil, false
}

// classify says what the beginning of a line is; undecided: that depends on what comes behind it.
func classify(begin []byte) (k kind, undecided bool) {
	for _, m := range groupMarkers {
		if n := len(m.text); len(begin) >= n && string(begin[:n]) == m.text {
			return m.kind, false
		} else if len(begin) < n && m.text[:len(begin)] == string(begin) {
			undecided = true
		}
	}
	return plain, undecided
}

// nextGroup returns where the first line at from or behind it begins that is a marker of groups;
// -1: nowhere.
func (st *stream) nextGroup(p []byte, from int) (begin int, k kind) {
	for begin = st.lineStart(p, from); begin >= 0; begin = st.lineStart(p, begin+1) {
		if first := p[begin]; first != ':' && first != '#' {
			continue
		}
		if k, _ = classify(p[begin:]); k != plain {
			return begin, k
		}
	}
	return -1, plain
}

// keepHead keeps the beginning of a line that p ends within, if more of it is needed to know what
// it is.
func (st *stream) keepHead(p []byte, at time.Time) {
	if i := bytes.LastIndexByte(p, '\n'); i >= 0 || !st.partial {
		line := p[i+1:]
		if _, undecided := classify(line); undecided && len(line) > 0 {
			st.head, st.headAt = bytes.Clone(line), at
		} else {
			st.head = nil
		}
	}
}

// finishHead finds out what the line is of which p is the continuation.
func (st *stream) finishHead(p []byte) error {
	if st.head == nil {
		return nil
	}
	offset := st.size - int64(len(st.head))
	more, _, _ := bytes.Cut(p[:min(len(p), longestMarker)], newline)
	st.head = append(st.head, more...)
	k, undecided := classify(st.head)
	if !undecided || len(more) < len(p) && p[len(more)] == '\n' {
		st.head = nil
	}
	if k == plain || !st.index.wants(k, offset) {
		return nil
	}
	return st.index.add(mark{offset: offset, line: st.newlines, at: st.headAt.UnixMilli(), kind: k})
}
