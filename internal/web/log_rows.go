package web

import (
	"bytes"
	"fmt"
	"html/template"
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
	windowRows = 200     // of a log in one window
	aboveRows  = 60      // of a window before the line that it is about
	mostRows   = 500     // that may be asked for
	longestRow = 4 << 10 // bytes of a line that are shown
	mostTurned = 500     // steps and groups that one reader has toggled
	lookBack   = 64 << 10
	timesAre   = 100 * time.Millisecond // how exact times of lines are
)

// How the times of lines are written.
const (
	timesNone  = ""
	timesUTC   = "utc"
	timesSince = "since"
)

// A logView is what a reader wants to see of a log, as the query of a page says it.
type logView struct {
	Stream string
	Line   int64 // that the page is about; 0: none
	Last   int64 // of a range that begins with Line
	Times  string
	turned []int64
}

func readLogView(r *http.Request) (logView, error) {
	q := r.URL.Query()
	v := logView{Stream: r.PathValue("stream"), Times: q.Get("times")}
	if v.Times != timesNone && v.Times != timesUTC && v.Times != timesSince {
		return v, andon.Errorf(andon.KindInvalid, "%.20q is no way to write times: utc and since are.", v.Times)
	}
	first, last, isRange := strings.Cut(q.Get("line"), "-")
	var err error
	if v.Line, err = lineNumber(first); err != nil {
		return v, err
	}
	v.Last = v.Line
	if isRange {
		if v.Last, err = lineNumber(last); err != nil {
			return v, err
		}
		v.Line, v.Last = min(v.Line, v.Last), max(v.Line, v.Last)
	}
	for word := range strings.SplitSeq(q.Get("toggle"), ",") {
		n, err := lineNumber(word)
		if err != nil {
			return v, err
		}
		if n > 0 && len(v.turned) < mostTurned {
			v.turned = append(v.turned, n)
		}
	}
	return v, nil
}

// lineNumber reads the number of a line; empty is 0.
func lineNumber(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, andon.Errorf(andon.KindInvalid, "%.20q is not the number of a line.", text)
	}
	return n, nil
}

// query returns the view as the query of a link, about a line or (0) about none.
func (v logView) query(line int64, turned []int64) string {
	q := url.Values{}
	if line > 0 {
		q.Set("line", strconv.FormatInt(line, 10))
	}
	if v.Times != timesNone {
		q.Set("times", v.Times)
	}
	if len(turned) > 0 {
		q.Set("toggle", numbers(turned))
	}
	return "?" + q.Encode()
}

// numbers writes numbers with commas between them.
func numbers(all []int64) string {
	words := make([]string, len(all))
	for i, n := range all {
		words[i] = strconv.FormatInt(n, 10)
	}
	return strings.Join(words, ",")
}

// A window is some rows of a log that follow each other.
type window struct {
	Stream   string
	Rows     []logRow
	First    int64 // the line of the first row; without rows, the one that would be
	Next     int64 // the line to go on with behind the last one
	Total    int64 // lines in the whole log
	Finished bool
	Toggled  string // what is toggled, with what the window had to unfold
	Shows    string // how times are written
}

// A logRow is a line as it is shown.
type logRow struct {
	Number int64
	At     time.Time
	Since  string // from the beginning of the log
	Spans  []logSpan
	Cut    bool
	Marked bool
	Head   *logHead // the line begins a step or a group
}

// A logSpan is text with the classes of its style.
type logSpan struct{ Text, Class string }

// A logHead is the first line of a step or a group.
type logHead struct {
	Name   string
	Step   bool
	Folded bool
	Lines  int64 // behind the first one
	Took   string
	Toggle string // the link that folds or unfolds it
}

// around returns the window about a line; without one, that of the log's end. What hides the line
// is unfolded.
func (p *pages) around(v logView) (window, error) {
	return p.window(v, func(f *folds) []int64 {
		line := min(v.Line, f.total)
		if v.Line == 0 {
			return f.before(f.total+1, windowRows)
		}
		f.reveal(line)
		f.reveal(min(v.Last, f.total))
		above := f.before(line, aboveRows)
		below := f.after(line, windowRows-len(above))
		if missing := windowRows - len(above) - len(below); missing > 0 {
			above = f.before(line, aboveRows+missing)
		}
		return append(above, below...)
	})
}

// window reads the rows that choose chooses.
func (p *pages) window(v logView, choose func(*folds) []int64) (window, error) {
	info, err := p.Logs.Info(v.Stream)
	if err != nil {
		return window{}, err
	}
	groups, err := p.Logs.Groups(v.Stream)
	if err != nil {
		return window{}, err
	}
	f := newFolds(groups, info.Lines, v.turned)
	shown := choose(f)
	w := window{Stream: v.Stream, Total: info.Lines, Finished: info.Finished, First: info.Lines + 1, Next: info.Lines + 1, Toggled: numbers(f.turned), Shows: v.Times}
	if len(shown) == 0 {
		return w, nil
	}
	w.First, w.Next = shown[0], shown[len(shown)-1]+1
	if g, hidden := f.hider(w.Next); hidden {
		w.Next = g.Last + 1
	}
	for len(shown) > 0 {
		run := 1
		for run < len(shown) && shown[run] == shown[run-1]+1 {
			run++
		}
		if err := p.readRows(&w, v, f, info.Began, shown[0], run); err != nil {
			return window{}, err
		}
		shown = shown[run:]
	}
	return w, nil
}

// readRows adds lines that follow each other to a window.
func (p *pages) readRows(w *window, v logView, f *folds, began time.Time, first int64, count int) error {
	var pen ansi.Pen
	for behind := first + int64(count); first < behind; {
		l, err := p.Logs.Window(v.Stream, first, int(behind-first), longestRow)
		if err != nil {
			return err
		}
		if len(l.Lines) == 0 {
			return nil
		}
		if err := p.moveTo(&pen, v.Stream, l.Lines[0].Offset); err != nil {
			return err
		}
		for _, line := range l.Lines {
			w.Rows = append(w.Rows, v.row(line, &pen, f, began))
		}
		first = l.Next
	}
	return nil
}

// moveTo moves a pen to an offset. It looks back so far only: a style that began earlier is lost.
func (p *pages) moveTo(pen *ansi.Pen, stream string, offset int64) error {
	from := max(0, offset-lookBack)
	back, err := p.Logs.Read(stream, from, int(max(1, offset-from)))
	if err != nil {
		return err
	}
	*pen = ansi.Pen{}
	pen.Skip(back[:min(int64(len(back)), offset-from)])
	return nil
}

func (v logView) row(line logs.Line, pen *ansi.Pen, f *folds, began time.Time) logRow {
	row := logRow{
		Number: line.Number, At: line.At, Cut: line.Cut, Marked: line.Number >= v.Line && line.Number <= v.Last,
	}
	for _, span := range pen.Line(line.Text) {
		row.Spans = append(row.Spans, logSpan{span.Text, styleClass(span.Style)})
	}
	if !line.At.IsZero() && !began.IsZero() {
		row.Since = since(line.At.Sub(began))
	}
	g, heads := f.heads(line.Number)
	name, named := logs.GroupName(line.Text)
	if !heads || !named {
		return row
	}
	row.Head = &logHead{Name: string(ansi.Plain(bytes.ToValidUTF8(name, []byte("\uFFFD")))), Step: g.Step, Folded: f.folded(g), Lines: g.Last - g.First}
	if d := g.Ended.Sub(g.Began); !g.Ended.IsZero() && !g.Began.IsZero() && d >= timesAre {
		row.Head.Took = took(d)
	}
	toggled := newFolds(nil, 0, f.turned)
	toggled.toggle(g.First)
	row.Head.Toggle = v.query(g.First, toggled.turned) + "#L" + strconv.FormatInt(g.First, 10)
	return row
}

// since writes how long after the beginning something was: "+1:02:03.4".
func since(d time.Duration) string {
	d = max(0, d.Truncate(100*time.Millisecond))
	seconds := fmt.Sprintf("%04.1f", (d % time.Minute).Seconds())
	if d < time.Hour {
		return fmt.Sprintf("+%d:%s", d/time.Minute, seconds)
	}
	return fmt.Sprintf("+%d:%02d:%s", d/time.Hour, d%time.Hour/time.Minute, seconds)
}

// styleClass returns the classes of the style sheet for a style.
func styleClass(s ansi.Style) string {
	var words []string
	if s.Foreground != ansi.Default {
		words = append(words, "f"+strconv.Itoa(int(s.Foreground-ansi.Black)))
	}
	if s.Background != ansi.Default {
		words = append(words, "b"+strconv.Itoa(int(s.Background-ansi.Black)))
	}
	for _, f := range []struct {
		set  bool
		word string
	}{{s.Bold, "bold"}, {s.Faint, "faint"}, {s.Italic, "italic"}, {s.Underline, "underline"}, {s.Strike, "strike"}} {
		if f.set {
			words = append(words, f.word)
		}
	}
	return strings.Join(words, " ")
}

// showRows answers with a window alone: from a line on, up to a line, or about one.
func (p *pages) showRows(w http.ResponseWriter, r *http.Request) {
	v, err := readLogView(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	asked := map[string]int64{"from": 0, "before": 0, "count": windowRows}
	for name := range asked {
		if text := r.URL.Query().Get(name); text != "" {
			if asked[name], err = lineNumber(text); err != nil {
				p.fail(w, r, err)
				return
			}
		}
	}
	count := int(min(asked["count"], mostRows))
	var rows window
	switch {
	case asked["from"] > 0:
		rows, err = p.window(v, func(f *folds) []int64 { return f.after(asked["from"], count) })
	case asked["before"] > 0:
		rows, err = p.window(v, func(f *folds) []int64 { return f.before(asked["before"], count) })
	default:
		rows, err = p.around(v)
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.render(w, r, p.log, "rows", rows)
}

// tenths writes a time of day of UTC.
func tenths(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("15:04:05.0")
}

// thousands writes a number that may be large: "2,000,000".
func thousands(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// logFunctions are what the templates of logs call besides what all do.
var logFunctions = template.FuncMap{
	"tenths": tenths, "thousands": thousands,
	"stamp": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.0") + " UTC" },
}
