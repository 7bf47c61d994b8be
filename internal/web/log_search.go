package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/ansi"
	"github.com/andon-cd/andon/internal/logs"
)

const (
	mostHits   = 100         // of one search
	searchTime = time.Second // after which it says how far it came
	hitMarks   = 50          // places that are marked in one line
	hitBefore  = 80          // bytes before the first of them that are shown
	hitShown   = 400         // bytes of a line that are shown
)

// A logSearch is a search of a log with what was found.
type logSearch struct {
	Text             string
	Case, Expression bool
	Stream           string
	From             int64
	Problem          string // why nothing was searched for
	Hits             []logHit
	Next             int64  // the line to go on with; 0: all was searched
	More             string // the link that goes on
	Searched         int64  // percent of the log
}

// A logHit is a line that was found.
type logHit struct {
	Number int64
	At     time.Time
	Link   string
	Parts  []hitPart
}

// A hitPart is text of a line that matches or does not.
type hitPart struct {
	Text   string
	Marked bool
}

// search runs the search that a query asks for; nil: it asks for none. A text that cannot be
// searched for is told in what it returns.
func (p *pages) search(r *http.Request, v logView) (*logSearch, error) {
	q := r.URL.Query()
	s := &logSearch{Text: q.Get("q"), Case: q.Get("case") != "", Expression: q.Get("re") != "", Stream: v.Stream, From: 1}
	if s.Text == "" {
		return nil, nil
	}
	if text := q.Get("after"); text != "" {
		after, err := lineNumber(text)
		if err != nil {
			return nil, err
		}
		s.From = after
	}
	pattern, err := logs.NewPattern(s.Text, s.Case, s.Expression)
	if e, ok := errors.AsType[*andon.Error](err); ok {
		s.Problem = e.Message
		return s, nil //nolint:nilerr // the page shows it beside what was typed
	}
	found, err := p.Logs.Search(r.Context(), v.Stream, pattern, s.From, mostHits, searchTime)
	if err != nil {
		return nil, err
	}
	for _, line := range found.Lines {
		s.Hits = append(s.Hits, logHit{Number: line.Number, At: line.At, Link: s.link(v, line.Number), Parts: hitParts(line, pattern)})
	}
	s.Searched = 100
	if s.Next = found.Next; s.Next > 0 {
		s.Searched = found.Done * 100 / max(1, found.Info.Size)
		s.More = "?" + s.query(v, url.Values{"after": {strconv.FormatInt(s.Next, 10)}})
	}
	return s, nil
}

// link leads to a line, with the search still on the page.
func (s *logSearch) link(v logView, line int64) string {
	number := strconv.FormatInt(line, 10)
	return "?" + s.query(v, url.Values{"line": {number}, "after": {strconv.FormatInt(s.From, 10)}}) + "#L" + number
}

func (s *logSearch) query(v logView, q url.Values) string {
	q.Set("q", s.Text)
	if s.Case {
		q.Set("case", "1")
	}
	if s.Expression {
		q.Set("re", "1")
	}
	if v.Times != timesNone {
		q.Set("times", v.Times)
	}
	return q.Encode()
}

// hitParts cuts a line into what matches and what does not, from a little before the first match.
func hitParts(line logs.Line, pattern *logs.Pattern) (parts []hitPart) {
	text := string(ansi.Plain(line.Text))
	found := pattern.Find(text, hitMarks)
	begin, end := 0, min(len(text), hitShown)
	if len(found) > 0 && found[0][0] > 2*hitBefore {
		begin = found[0][0] - hitBefore
		end = min(len(text), begin+hitShown)
		parts = append(parts, hitPart{Text: "… "})
	}
	add := func(to int, marked bool) {
		if to = min(to, end); to > begin {
			parts = append(parts, hitPart{Text: strings.ToValidUTF8(text[begin:to], "\uFFFD"), Marked: marked})
			begin = to
		}
	}
	for _, at := range found {
		add(at[0], false)
		add(at[1], true)
	}
	add(end, false)
	if end < len(text) || line.Cut {
		parts = append(parts, hitPart{Text: " …"})
	}
	return parts
}

// showSearch answers with a search alone.
func (p *pages) showSearch(w http.ResponseWriter, r *http.Request) {
	v, err := readLogView(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	found, err := p.search(r, v)
	if r.Context().Err() != nil {
		return // nobody waits for it any more
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.render(w, r, p.log, "found", found)
}
