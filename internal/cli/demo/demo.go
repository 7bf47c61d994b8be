// Package demo takes a small real service through a whole plant of its own, and verifies on the
// way that what a plant promises happens: it asks the plant's API, the service itself and its own
// client, and takes nobody's word for it.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/andon-cd/andon/api"
)

// Config says how a demo runs.
type Config struct {
	Program string    // the andon binary, which runs the plant and what belongs to it
	Dir     string    // for everything of the demo; must be empty or not there. Empty: a temporary one
	State   string    // directory in which demos that run are noted, so that leftovers are found
	Once    bool      // end after the last chapter
	Keep    bool      // leave the directory there
	Out     io.Writer // what people read
	Live    bool      // Out is a terminal: the last line is written over
	Colour  bool
}

// A NotObserved error says what a demo was to show and did not.
type NotObserved struct {
	Chapter string
	Cause   error
}

func (e *NotObserved) Error() string { return fmt.Sprintf("not observed: %s: %v", e.Chapter, e.Cause) }

// Unwrap returns what was seen instead.
func (e *NotObserved) Unwrap() error { return e.Cause }

// A demo is one that runs.
type demo struct {
	config Config
	screen *screen
	home   *home
	plant  *plant
	client *api.Client
	repo   *repository
	load   *load

	journeys []*journey
	happened []event
	good     releaseFacts // what version 2 was in production
}

// An event is one row of what happened.
type event struct {
	what string
	took time.Duration
}

// Run runs a demo and cleans up after it, whatever happens. It returns nil when everything was
// observed, and *NotObserved when something was not. Without Once it goes on serving until ctx ends.
func Run(ctx context.Context, config Config) (err error) {
	d := &demo{config: config, screen: newScreen(config)}
	defer d.screen.close()
	sweep(ctx, config, d.screen)
	if d.home, err = openHome(config); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.end(context.WithoutCancel(ctx))) }()
	if err := d.begin(ctx); err != nil {
		return err
	}
	if err := d.tell(ctx); err != nil {
		return err
	}
	d.screen.report(d)
	if config.Once || ctx.Err() != nil {
		return ctx.Err()
	}
	d.screen.line("")
	d.screen.line("Everything was observed. The plant goes on until you press Ctrl-C:")
	d.screen.line("  the board    %s   (token %s)", d.plant.url, d.plant.token)
	d.screen.line("  the shop     %s", d.plant.shopURL())
	d.screen.line("  the commands export ANDON_DATA=%s", d.home.plant())
	<-ctx.Done()
	return nil
}

// begin starts the plant and makes the service's repository.
func (d *demo) begin(ctx context.Context) (err error) {
	d.screen.line("Starting a plant of its own in %s", d.home.dir)
	if d.plant, err = startPlant(ctx, d.config.Program, d.home); err != nil {
		return err
	}
	d.client = &api.Client{Server: d.plant.url, Token: d.plant.token}
	d.screen.line("The board: %s  (sign in with %s)", d.plant.url, d.plant.token)
	if d.repo, err = newRepository(ctx, d.home.repository(), d.plant, d.config.Program); err != nil {
		return err
	}
	d.load = newLoad(d.plant.proxy, shopHost)
	return nil
}

// A chapter is one of the things that a demo shows.
type chapter struct {
	title string
	tell  func(context.Context) error
}

// tell takes the service through all chapters. Each builds on the one before, so the first that
// does not go as it must ends the story.
func (d *demo) tell(ctx context.Context) error {
	loading, stop := context.WithCancel(ctx)
	defer stop()
	defer d.load.wait()
	defer stop()
	chapters := []chapter{
		{"A first version goes all the way to production", func(ctx context.Context) error { return d.first(ctx, loading) }},
		{"A second version is deployed under load, and no request fails", d.underLoad},
		{"A third version fails its smoke test, and the line stops", d.stopTheLine},
		{"A fourth version repairs it, and the line runs again", d.repair},
		{"Production is rolled back to version 2", d.rollBack},
	}
	for i, c := range chapters {
		d.screen.line("")
		d.screen.title(i+1, c.title)
		started := time.Now()
		if err := c.tell(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			d.screen.wrong(err)
			d.screen.log(d.plant.log)
			return &NotObserved{Chapter: c.title, Cause: err}
		}
		d.happened = append(d.happened, event{c.title, time.Since(started)})
	}
	return nil
}

// saw says one thing that was verified.
func (d *demo) saw(format string, args ...any) { d.screen.check(fmt.Sprintf(format, args...)) }

// ending bounds the whole cleaning up.
const ending = 90 * time.Second

// end stops everything that the demo started and removes what it made.
func (d *demo) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, ending)
	defer cancel()
	d.screen.status("Cleaning up …")
	var err error
	if d.plant != nil {
		d.plant.stop()
	}
	if downErr := down(ctx, d.config.Program, d.home); downErr != nil {
		// Removing the directory would leave processes that nobody can find any more.
		return fmt.Errorf("not everything could be stopped; it is in %s, and the next demo tries again: %w", d.home.dir, downErr)
	}
	if d.config.Keep {
		d.screen.line("Left in %s, as you wished.", d.home.dir)
		return d.home.leave()
	}
	err = errors.Join(err, d.home.remove())
	d.screen.line("Cleaned up.")
	return err
}

// tail returns the last bytes of a file, for errors.
func tail(path string, n int64) string {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > n {
		if _, err := f.Seek(-n, io.SeekEnd); err != nil {
			return ""
		}
	}
	text, err := io.ReadAll(io.LimitReader(f, n))
	if err != nil {
		return ""
	}
	return string(text)
}
