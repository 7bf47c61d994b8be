package screen_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/andon-cd/andon/internal/cli/screen"
	"github.com/andon-cd/andon/internal/cli/screen/screentest"
)

var errDone = errors.New("done")

func TestUse_GivesTheTerminalBackAsItWas(t *testing.T) {
	for name, body := range map[string]func(context.Context, *screen.Screen) error{
		"when it is done": func(_ context.Context, s *screen.Screen) error { return s.Draw([]string{"one"}) },
		"with an error":   func(context.Context, *screen.Screen) error { return errDone },
		"with a panic":    func(context.Context, *screen.Screen) error { panic(errDone) },
	} {
		t.Run(name, func(t *testing.T) {
			terminal := screentest.Open(t, 80, 24)
			before := terminal.Settings(t)
			var within unix.Termios
			func() {
				defer func() {
					if e := recover(); e != nil && e != any(errDone) {
						panic(e)
					}
				}()
				err := screen.Use(t.Context(), terminal.Slave, terminal.Slave, func(ctx context.Context, s *screen.Screen) error {
					within = terminal.Settings(t)
					return body(ctx, s)
				})
				if err != nil && !errors.Is(err, errDone) {
					t.Error(err)
				}
			}()
			if within.Lflag&unix.ECHO != 0 || within.Lflag&unix.ICANON != 0 {
				t.Error("keys were echoed, or came by the line")
			}
			if after := terminal.Settings(t); after != before {
				t.Errorf("the terminal is set up as %+v, not %+v", after, before)
			}
			terminal.Wait(t, "its own page", func(string) bool { return !terminal.Mode("1049") && terminal.Mode("25") && terminal.Mode("7") })
		})
	}
}

func TestDraw_WritesOnlyWhatChanged(t *testing.T) {
	terminal := screentest.Open(t, 40, 10)
	err := screen.Use(t.Context(), terminal.Slave, terminal.Slave, func(_ context.Context, s *screen.Screen) error {
		lines := []string{"one", strings.Repeat("x", 60), "three"}
		if err := s.Draw(lines); err != nil {
			return err
		}
		terminal.Wait(t, "all of the drawing", func(text string) bool { return strings.Contains(text, "three") && !terminal.Mode("2026") })
		before := terminal.Written()
		if err := s.Draw(lines); err != nil {
			return err
		}
		lines[2] = "3"
		if err := s.Draw(lines); err != nil {
			return err
		}
		text := terminal.Wait(t, "3 alone", func(text string) bool { return strings.Contains(text, "\n3\n") })
		if want := "one\n" + strings.Repeat("x", 39) + "…\n3\n"; !strings.HasPrefix(text, want) {
			t.Errorf("it shows\n%s", text)
		}
		if n := terminal.Written() - before; n > 40 {
			t.Errorf("one changed cell took %d bytes", n)
		}
		return s.Draw(lines[:1])
	})
	if err != nil {
		t.Fatal(err)
	}
	if unknown := terminal.Unknown(); len(unknown) > 0 {
		t.Errorf("the terminal was told %q", unknown)
	}
}

func TestUse_HearsKeysAndEndsWithItsContext(t *testing.T) {
	terminal := screentest.Open(t, 80, 24)
	ctx, cancel := context.WithCancel(t.Context())
	err := screen.Use(ctx, terminal.Slave, terminal.Slave, func(ctx context.Context, s *screen.Screen) error {
		terminal.Press(t, "\x1b[6~")
		if key := <-s.Keys(); key != screen.KeyPageDown {
			t.Errorf("the key is %q", key)
		}
		cancel()
		<-ctx.Done()
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestFits_NeedsATerminalThatIsMoreThanAPrinter(t *testing.T) {
	terminal := screentest.Open(t, 80, 24)
	if !screen.Fits(terminal.Slave, terminal.Slave, "xterm") {
		t.Error("a terminal does not fit")
	}
	for _, kind := range []string{"", "dumb"} {
		if screen.Fits(terminal.Slave, terminal.Slave, kind) {
			t.Errorf("a terminal of the kind %q fits", kind)
		}
	}
}
