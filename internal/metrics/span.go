package metrics

import (
	"cmp"
	"slices"
	"time"
)

// A Span is a time from From, which belongs to it, to To, which does not.
type Span struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Took returns how long the span is.
func (s Span) Took() time.Duration { return s.To.Sub(s.From) }

// Within returns the part of the span that lies in another; false if none does.
func (s Span) Within(o Span) (Span, bool) {
	part := Span{From: later(s.From, o.From), To: earlier(s.To, o.To)}
	return part, part.From.Before(part.To)
}

// union returns the parts of a span that any of others covers: in order, apart from each other.
func union(all []Span, in Span) []Span {
	var parts []Span
	for _, s := range all {
		if part, ok := s.Within(in); ok {
			parts = append(parts, part)
		}
	}
	slices.SortFunc(parts, func(a, b Span) int { return cmp.Or(a.From.Compare(b.From), a.To.Compare(b.To)) })
	var whole []Span
	for _, p := range parts {
		if n := len(whole); n > 0 && !p.From.After(whole[n-1].To) {
			whole[n-1].To = later(whole[n-1].To, p.To)
			continue
		}
		whole = append(whole, p)
	}
	return whole
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
