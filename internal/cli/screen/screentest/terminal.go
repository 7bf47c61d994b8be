// Package screentest is a terminal for tests: a real pseudo-terminal of the system, with somebody
// behind it who reads what is drawn.
package screentest

import (
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// patience is how long a terminal may take to show something.
const patience = 2 * time.Minute

// A Page is what a terminal has been told, as far as programs of ours tell it something: text, where
// the cursor goes, what is erased, and modes. Anything else is an error of the program.
type Page struct {
	mu          sync.Mutex
	cells       [][]rune
	other       [][]rune // the page that is not seen now
	row, column int
	modes       map[string]bool // by their number: "1049"
	unknown     []string
	rest        string // what may go on with the next bytes
	written     int
	news        chan struct{} // closed when something was written
}

// NewPage returns an empty page.
func NewPage(columns, rows int) *Page {
	p := &Page{modes: map[string]bool{"25": true, "7": true}, news: make(chan struct{})}
	p.size(columns, rows)
	return p
}

func (p *Page) size(columns, rows int) {
	cells := make([][]rune, rows)
	for i := range cells {
		cells[i] = []rune(strings.Repeat(" ", columns))
		if i < len(p.cells) {
			copy(cells[i], p.cells[i])
		}
	}
	p.cells, p.row, p.column = cells, min(p.row, rows-1), min(p.column, columns-1)
}

// turn shows the other page, empty, or goes back to the first one.
func (p *Page) turn(other bool) {
	if other == p.modes["1049"] {
		return
	}
	columns, rows := len(p.cells[0]), len(p.cells)
	if other {
		p.other, p.cells = p.cells, nil
	} else {
		p.cells = p.other
	}
	p.size(columns, rows)
}

// down moves the cursor to the next line; at the end of the page, all lines move up.
func (p *Page) down() {
	if p.row++; p.row < len(p.cells) {
		return
	}
	p.row = len(p.cells) - 1
	p.cells = append(p.cells[1:], []rune(strings.Repeat(" ", len(p.cells[0]))))
}

// Write takes what a program tells the terminal.
func (p *Page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.written += len(b)
	text := p.rest + string(b)
	for len(text) > 0 {
		n := p.take(text)
		if n == 0 {
			break
		}
		text = text[n:]
	}
	p.rest = text
	close(p.news)
	p.news = make(chan struct{})
	return len(b), nil
}

// take does what comes first in text and returns its length; 0: there is more to come.
func (p *Page) take(text string) int {
	if !utf8.FullRuneInString(text) {
		return 0
	}
	r, n := utf8.DecodeRuneInString(text)
	switch {
	case r == 0x1b:
		return p.sequence(text)
	case r == '\r':
		p.column = 0
	case r == '\n':
		p.down()
	case r < ' ':
		p.unknown = append(p.unknown, string(r))
	default:
		p.print(r)
	}
	return n
}

func (p *Page) print(r rune) {
	line := p.cells[p.row]
	if p.column < len(line) {
		line[p.column] = r
	}
	p.column++
	if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
		if p.column < len(line) {
			line[p.column] = 0 // the other half
		}
		p.column++
	}
	if p.modes["7"] && p.column >= len(line) {
		p.column = 0
		p.down()
	}
	p.column = min(p.column, len(line)) // at the edge, the last cell is written again
}

func (p *Page) sequence(text string) int {
	if len(text) < 3 {
		return 0
	}
	if text[1] != '[' {
		p.unknown = append(p.unknown, text[:2])
		return 2
	}
	end := strings.IndexFunc(text[2:], func(r rune) bool { return r >= '@' && r <= '~' })
	if end < 0 {
		return 0
	}
	parameters, final := text[2:2+end], text[2+end]
	switch {
	case final == 'm':
	case final == 'H':
		p.row, p.column = position(parameters)
		p.row, p.column = min(p.row, len(p.cells)-1), min(p.column, len(p.cells[0])-1)
	case final == 'K' && parameters == "":
		p.erase(p.row, min(p.column, len(p.cells[0])-1))
	case final == 'J' && parameters == "2":
		for i := range p.cells {
			p.erase(i, 0)
		}
	case (final == 'h' || final == 'l') && strings.HasPrefix(parameters, "?"):
		if parameters == "?1049" {
			p.turn(final == 'h')
		}
		p.modes[parameters[1:]] = final == 'h'
	default:
		p.unknown = append(p.unknown, text[:3+end])
	}
	return 3 + end
}

func position(parameters string) (row, column int) {
	before, after, _ := strings.Cut(parameters, ";")
	return max(number(before), 1) - 1, max(number(after), 1) - 1
}

func number(text string) (n int) {
	for _, r := range text {
		n = 10*n + int(r-'0')
	}
	return n
}

func (p *Page) erase(row, from int) {
	for i := from; i < len(p.cells[row]); i++ {
		p.cells[row][i] = ' '
	}
}

// Text returns what the page shows, line by line, without spaces at the ends.
func (p *Page) Text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text()
}

func (p *Page) text() string {
	var b strings.Builder
	for _, line := range p.cells {
		shown := strings.ReplaceAll(string(line), "\x00", "")
		b.WriteString(strings.TrimRight(shown, " ") + "\n")
	}
	return b.String()
}

// Mode returns whether a private mode is set: 1049, the other page; 25, the cursor is seen; 7,
// long lines wrap; 2026, a drawing has begun that is not there as a whole.
func (p *Page) Mode(number string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.modes[number]
}

// Unknown returns what the terminal was told and did not understand.
func (p *Page) Unknown() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.unknown
}

// Written returns how many bytes the terminal was told.
func (p *Page) Written() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.written
}

// Wait waits until the page shows what holds, and returns its text.
func (p *Page) Wait(t testing.TB, what string, holds func(text string) bool) string {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		p.mu.Lock()
		text, news := p.text(), p.news
		p.mu.Unlock()
		if holds(text) {
			return text
		}
		select {
		case <-news:
		case <-deadline.C:
			t.Fatalf("the terminal does not show %s, but\n%s", what, text)
		}
	}
}

// Shows waits until a text is on the page, and returns all of it.
func (p *Page) Shows(t testing.TB, text string) string {
	t.Helper()
	return p.Wait(t, text, func(page string) bool { return strings.Contains(page, text) })
}
