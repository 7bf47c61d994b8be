package screen

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// What a terminal is told when it is taken, and when it is given back: another page, no cursor, no
// lines that wrap.
const (
	take     = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
	giveBack = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"

	// A drawing is shown as a whole by terminals that know how; others pass this over.
	begin  = "\x1b[?2026h"
	finish = "\x1b[?2026l"
)

// The size that is taken for that of a terminal which does not tell.
const (
	usualWidth  = 80
	usualHeight = 24
)

// A Screen is a terminal that a program has for itself.
type Screen struct {
	in, out *os.File
	keys    chan Key
	changed chan struct{}

	mu     sync.Mutex
	before *term.State // nil: it is not taken now
	shown  []string    // line by line; nil: nothing is known of what it shows
	width  int         // for which it was drawn
}

// Fits reports whether a program can take a terminal over: a person is at both ends of it, and it
// is more than a printer. kind is what $TERM says.
func Fits(in, out *os.File, kind string) bool {
	return kind != "" && kind != "dumb" && term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(out.Fd()))
}

// Use takes a terminal over, calls body, and gives it back as it was when body returns or panics,
// when the process is suspended, and when it is told to quit. The context that body gets ends with
// ctx. Nothing else may read from in or write to out meanwhile.
func Use(ctx context.Context, in, out *os.File, body func(context.Context, *Screen) error) (err error) {
	s := &Screen{in: in, out: out, keys: make(chan Key, 64), changed: make(chan struct{}, 1)}
	wake, stop, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("a pipe for the terminal: %w", err)
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGWINCH, syscall.SIGTSTP, syscall.SIGQUIT)
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer func() {
		cancel()
		signal.Stop(signals)
		stop.Close()
		running.Wait()
		wake.Close()
		err = errors.Join(err, s.release())
	}()
	if err := s.acquire(); err != nil {
		return err
	}
	running.Go(func() { s.read(ctx, wake) })
	running.Go(func() { s.heed(ctx, signals) })
	return body(ctx, s)
}

// Keys returns what people press. Keys that nobody takes are dropped after some.
func (s *Screen) Keys() <-chan Key { return s.keys }

// Changed says that everything is to be drawn again: the size changed, or the program goes on
// after it was suspended.
func (s *Screen) Changed() <-chan struct{} { return s.changed }

// Size returns how many cells a line has, and how many lines there are.
func (s *Screen) Size() (width, height int) {
	width, height, err := term.GetSize(int(s.out.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		return usualWidth, usualHeight
	}
	return width, height
}

// Draw shows lines from the top on, each cut to the width of the terminal, and nothing below them.
// Only lines that differ from what is there are written. Lines may set colours; other control
// characters must not be in them.
func (s *Screen) Draw(lines []string) error {
	width, height := s.Size()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.before == nil {
		return nil // suspended; it is drawn when the program goes on
	}
	next := make([]string, height)
	for i := range min(height, len(lines)) {
		next[i] = Cut(lines[i], width)
	}
	_, err := s.out.WriteString(s.difference(next, width))
	if err != nil {
		return fmt.Errorf("the terminal cannot be written to: %w", err)
	}
	s.shown, s.width = next, width
	return nil
}

// difference returns what turns what is shown into next. s.mu is held.
func (s *Screen) difference(next []string, width int) string {
	var b strings.Builder
	anew := s.shown == nil || s.width != width || len(s.shown) != len(next)
	if anew {
		b.WriteString("\x1b[2J")
	}
	for i, line := range next {
		if !anew && line == s.shown[i] || anew && line == "" {
			continue
		}
		fmt.Fprintf(&b, "\x1b[%d;1H%s%s", i+1, line, plain)
		if Width(line) < width { // at the edge, this would erase the last cell
			b.WriteString("\x1b[K")
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return begin + b.String() + finish
}

func (s *Screen) acquire() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, err := term.MakeRaw(int(s.in.Fd()))
	if err != nil {
		return fmt.Errorf("the terminal cannot be set up: %w", err)
	}
	s.before, s.shown = before, nil
	if _, err := s.out.WriteString(take); err != nil {
		return fmt.Errorf("the terminal cannot be written to: %w", err)
	}
	return nil
}

// release gives the terminal back. It does nothing when that has been done.
func (s *Screen) release() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.before == nil {
		return nil
	}
	_, err := s.out.WriteString(giveBack)
	err = errors.Join(err, term.Restore(int(s.in.Fd()), s.before))
	s.before = nil
	if err != nil {
		return fmt.Errorf("the terminal cannot be given back: %w", err)
	}
	return nil
}

// read passes keys on until the other end of wake is closed.
func (s *Screen) read(ctx context.Context, wake *os.File) {
	buffer, begun := make([]byte, 256), ""
	for ready(s.in, wake) && ctx.Err() == nil {
		n, err := unix.Read(int(s.in.Fd()), buffer)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) {
			continue
		}
		if err != nil || n <= 0 {
			return // the terminal is gone; SIGHUP says so to the program
		}
		var keys []Key
		keys, begun = parseKeys(begun + string(buffer[:n]))
		for _, key := range keys {
			if key == KeySuspend {
				_ = unix.Kill(unix.Getpid(), unix.SIGTSTP) // as the terminal does when it is not taken
				continue
			}
			select {
			case s.keys <- key:
			default:
			}
		}
	}
}

// ready waits until in can be read; false: wake came first.
func ready(in, wake *os.File) bool {
	for {
		var set unix.FdSet
		set.Zero()
		set.Set(int(in.Fd()))
		set.Set(int(wake.Fd()))
		_, err := unix.Select(int(max(in.Fd(), wake.Fd()))+1, &set, nil, nil, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil || set.IsSet(int(wake.Fd())):
			return false
		default:
			return true
		}
	}
}

// heed does what signals ask for.
func (s *Screen) heed(ctx context.Context, signals chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case sig := <-signals:
			switch sig {
			case syscall.SIGTSTP:
				s.suspend(signals)
			case syscall.SIGQUIT:
				_ = s.release() // the process ends here, whatever becomes of it
				signal.Reset(syscall.SIGQUIT)
				_ = unix.Kill(unix.Getpid(), unix.SIGQUIT)
			default:
				s.again()
			}
		}
	}
}

// stopping is how long a process may take to be stopped that has told itself so. One that no shell
// could let go on is not stopped at all.
const stopping = 200 * time.Millisecond

// suspend stops the process with the terminal as it was, and takes it again when the process is
// told to go on.
func (s *Screen) suspend(signals chan<- os.Signal) {
	if s.release() != nil {
		return
	}
	goesOn := make(chan os.Signal, 1)
	signal.Notify(goesOn, syscall.SIGCONT)
	defer signal.Stop(goesOn)
	signal.Reset(syscall.SIGTSTP)
	_ = unix.Kill(unix.Getpid(), unix.SIGTSTP)
	late := time.NewTimer(stopping)
	defer late.Stop()
	select {
	case <-goesOn:
	case <-late.C:
	}
	signal.Notify(signals, syscall.SIGTSTP)
	if s.acquire() == nil {
		s.again()
	}
}

func (s *Screen) again() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}
