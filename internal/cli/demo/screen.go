package demo

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/andon-cd/andon/api"
)

// A screen shows what happens: lines that stay and, on a terminal, one below them that is written
// over. It is used from one goroutine.
type screen struct {
	out    io.Writer
	live   bool
	colour bool
	below  bool // the status line is shown
}

func newScreen(c Config) *screen { return &screen{out: c.Out, live: c.Live, colour: c.Colour} }

func (s *screen) paint(code, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// close takes the status line away.
func (s *screen) close() {
	if s.below {
		fmt.Fprint(s.out, "\r\x1b[K")
		s.below = false
	}
}

// line shows a line that stays.
func (s *screen) line(format string, args ...any) {
	s.close()
	fmt.Fprintf(s.out, format+"\n", args...)
}

// status shows what goes on now, where that can be written over.
func (s *screen) status(format string, args ...any) {
	if !s.live {
		return
	}
	text := []rune(strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " "))
	if width := s.width() - 5; len(text) > width {
		text = append(text[:max(width-1, 0)], '…')
	}
	fmt.Fprint(s.out, "\r\x1b[K"+s.paint("2", "    "+string(text)))
	s.below = true
}

// width returns how many characters fit into a line of the terminal.
func (s *screen) width() int {
	if f, ok := s.out.(*os.File); ok {
		if size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 20 {
			return int(size.Col)
		}
	}
	return 80
}

func (s *screen) title(n int, text string) {
	s.line("%s", s.paint("1", fmt.Sprintf("%d  %s", n, text)))
}

// check shows something that was verified.
func (s *screen) check(text string) { s.line("   %s %s", s.paint("32", "✓"), text) }

// wrong shows what was not as it must be.
func (s *screen) wrong(err error) { s.line("   %s %v", s.paint("31", "✗"), err) }

// step shows a stage that has ended.
func (s *screen) step(run api.StageRun) {
	text := fmt.Sprintf("%-11s %-9s %s", run.Stage, run.Outcome, span(time.Duration(run.TookMS)*time.Millisecond))
	if run.Reason != "" {
		text += "  " + run.Reason
	}
	s.line("     %s", s.paint("2", text))
}

// quote shows what a command prints.
func (s *screen) quote(command, output string) {
	s.line("     $ %s", command)
	for _, l := range strings.Split(strings.TrimRight(output, "\n"), "\n") {
		s.line("     %s", s.paint("33", l))
	}
}

// log shows the end of the server's log, if it has one.
func (s *screen) log(path string) {
	if text := strings.TrimSpace(tail(path, 4000)); text != "" {
		s.line("   The plant's log ends with:")
		s.line("%s", text)
	}
}
