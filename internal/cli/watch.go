package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/cli/screen"
)

// takesScreen returns the terminal that a command may draw on as a whole, if it has one: a person
// who reads elsewhere, or with a simple terminal, gets lines.
func (t *terminal) takesScreen() (in, out *os.File, ok bool) {
	in, fromFile := t.in.(*os.File)
	out, toFile := t.out.(*os.File)
	return in, out, fromFile && toFile && screen.Fits(in, out, t.getenv("TERM"))
}

// A drawing returns the lines of a terminal that shows the plant as it was seen last. It moves the
// window to where there is something to see.
type drawing func(s *sight, w *window, now time.Time) []string

// watch shows the plant on a whole terminal, and draws it again when something happened and when
// things got older, until a person quits or the command is interrupted. While the plant is lost it
// says so, and goes on trying.
func (c *call) watch(in, out *os.File, client *api.Client, service string, draw drawing) error {
	return screen.Use(c.ctx, in, out, func(ctx context.Context, s *screen.Screen) error {
		ctx, cancel := context.WithCancel(ctx)
		sights, ended := make(chan sight), make(chan error, 1)
		var following sync.WaitGroup
		defer following.Wait()
		defer cancel()
		following.Go(func() {
			ended <- c.follow(ctx, client, service, 0, func(seen sight) error {
				select {
				case sights <- seen:
				case <-ctx.Done():
				}
				return nil
			})
		})
		older := time.NewTicker(time.Second)
		defer older.Stop()
		var last sight
		var w window
		for {
			select {
			case last = <-sights:
			case key := <-s.Keys():
				if w.press(key) {
					return nil
				}
			case <-s.Changed():
			case <-older.C:
			case err := <-ended:
				return err
			case <-ctx.Done():
				return nil
			}
			if last.Plant == "" {
				continue
			}
			w.width, w.height = s.Size()
			if err := s.Draw(draw(&last, &w, time.Now())); err != nil {
				return err
			}
		}
	})
}

// A window is what a terminal shows of a text that is larger.
type window struct {
	width, height int
	top           int // the first line of the text that is seen
	left          int // the first column of it, in units of whoever draws
	room          int // how many lines of the text there was room for
	rows          int // how many it has
}

// press moves the window by a key; true: the person wants to go.
func (w *window) press(key screen.Key) (quit bool) {
	page := max(1, w.room-1)
	switch key {
	case "q", "Q", screen.KeyQuit:
		return true
	case "j", screen.KeyDown:
		w.top++
	case "k", screen.KeyUp:
		w.top--
	case " ", "f", screen.KeyPageDown:
		w.top += page
	case "b", screen.KeyPageUp:
		w.top -= page
	case "g", screen.KeyHome:
		w.top = 0
	case "G", screen.KeyEnd:
		w.top = w.rows
	case "l", screen.KeyRight:
		w.left++
	case "h", screen.KeyLeft:
		w.left--
	}
	w.top, w.left = max(0, w.top), max(0, w.left)
	return false
}

// frame returns the lines of the terminal: what stays above, the part of the text that the window
// is on, and what stays below. What is above may not take all.
func (w *window) frame(above, text, below []string) []string {
	above = above[:min(len(above), max(0, w.height-len(below)-1))]
	w.rows = len(text)
	w.room = max(0, w.height-len(above)-len(below))
	w.top = max(0, min(w.top, w.rows-w.room))
	lines := append([]string{}, above...)
	lines = append(lines, text[w.top:min(w.rows, w.top+w.room)]...)
	for len(lines) < w.height-len(below) {
		lines = append(lines, "")
	}
	return append(lines, below...)
}

// footer returns the last line: that the connection is lost, or which part is seen and what keys do.
func footer(s *sight, w *window, rows int, now time.Time, p palette, more ...string) string {
	if !s.Lost.IsZero() {
		return p.reverse(screen.Pad(fmt.Sprintf("▲ Connection lost %s ago: what you see may be old. Trying again. q quits.", age(now.Sub(s.Lost))), w.width))
	}
	keys := more
	if rows > w.room {
		keys = append([]string{"↑↓ PgUp PgDn scroll"}, keys...)
	}
	return p.faint(strings.Join(append(keys, "q quits"), " · "))
}

// age returns how long something lasts in the largest unit that says enough: 45s, 12m, 3h, 5d.
func age(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours())/24)
	}
}
