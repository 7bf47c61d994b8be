package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-isatty"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/form"
)

// A terminal is what a command reads and writes, and the environment that it is called in.
type terminal struct {
	in     io.Reader
	out    io.Writer // results, and nothing else
	err    io.Writer // what people read besides
	getenv func(string) string
}

// live reports whether a person watches w: it can be written over, and have colours.
func live(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// paint returns how to colour what goes to w: not at all unless it is a terminal.
func (t *terminal) paint(w io.Writer) palette {
	return palette(live(w) && t.getenv("NO_COLOR") == "" && t.getenv("TERM") != "dumb")
}

// fail says an error, if there is one, and returns the exit code that belongs to it.
func (t *terminal) fail(err error, asJSON bool) int {
	if err == nil {
		return exitDone
	}
	if _, said := errors.AsType[codeError](err); said {
		return exitCode(err)
	}
	wire := asWire(err)
	if asJSON {
		t.sayJSON(t.err, api.Failure{Error: wire})
	} else {
		fmt.Fprint(t.err, problem(wire, t.paint(t.err)))
	}
	return exitCode(err)
}

// problem returns an error as people read it: the sentence, where it is, and what to do.
func problem(e *api.Error, p palette) string {
	if e.File != "" {
		return form.Format([]*andon.Error{{
			Kind: andon.Kind(e.Kind), Message: e.Message, Hint: capital(e.Hint),
			File: e.File, Line: e.Line, Column: e.Column, Source: e.Source,
		}})
	}
	text := p.red("andon:") + " " + printable(e.Message) + "\n"
	if e.Hint != "" {
		text += "  " + printable(asSentence(capital(e.Hint))) + "\n"
	}
	return text
}

// sayJSON writes one object on one line.
func (t *terminal) sayJSON(w io.Writer, v any) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		fmt.Fprintf(t.err, "andon: the answer cannot be written: %v\n", err)
	}
}

// asSentence returns a sentence with its full stop, unless it ends with an address or with what people
// type outside of quotes.
func asSentence(s string) string {
	last, _ := utf8.DecodeLastRuneInString(s)
	word := s[strings.LastIndexByte(s, ' ')+1:]
	if strings.ContainsAny(word, ":/") || !unicode.IsLetter(last) && !unicode.IsDigit(last) && last != '`' && last != ')' {
		return s
	}
	return s + "."
}

// capital returns s with an upper-case first letter, unless it begins with what people type.
func capital(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	if strings.HasPrefix(s, "andon ") || !unicode.IsLower(r) {
		return s
	}
	return string(unicode.ToUpper(r)) + s[size:]
}

// A palette colours text, or leaves it as it is.
type palette bool

func (p palette) wrap(code, s string) string {
	if !p || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p palette) red(s string) string     { return p.wrap("31", s) }
func (p palette) green(s string) string   { return p.wrap("32", s) }
func (p palette) yellow(s string) string  { return p.wrap("33", s) }
func (p palette) faint(s string) string   { return p.wrap("2", s) }
func (p palette) bold(s string) string    { return p.wrap("1", s) }
func (p palette) reverse(s string) string { return p.wrap("7", s) }
func (p palette) cyan(s string) string    { return p.wrap("36", s) }
