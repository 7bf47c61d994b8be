package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
)

type statusCmd struct {
	Service string `arg:"" optional:"" help:"Only this service."`
	Follow  bool   `short:"f" help:"Show it again whenever something happens."`
}

// Run shows the plant at a glance.
func (cmd *statusCmd) Run(c *call) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	show := func() (int64, error) {
		s, err := client.Status(c.ctx, cmd.Service)
		if err != nil {
			return 0, c.known(client, cmd.Service, err)
		}
		if c.json {
			c.sayJSON(c.out, s)
		} else {
			writeStatus(c.out, s, c.paint(c.out))
		}
		return s.Position, nil
	}
	if !cmd.Follow {
		_, err := show()
		return err
	}
	return c.again(client, func() (int64, error) {
		if !c.json && live(c.out) {
			fmt.Fprint(c.out, "\x1b[H\x1b[2J")
		}
		position, err := show()
		if err == nil && !c.json && !live(c.out) {
			fmt.Fprint(c.out, "\n")
		}
		return position, err
	})
}

// errMoved ends a stream of events because there is something new to show.
var errMoved = errors.New("something happened")

// again calls show now, and again whenever the journal grows, at most twice a second, until
// the command is interrupted. While the plant restarts it goes on trying for a minute.
func (c *call) again(client *api.Client, show func() (int64, error)) error {
	const pause, patience = 500 * time.Millisecond, time.Minute
	var heard time.Time
	for {
		position, err := show()
		switch {
		case c.ctx.Err() != nil:
			return nil //nolint:nilerr // interrupted, as following always ends
		case err == nil:
			heard = time.Now()
			_ = client.Events(c.ctx, position, func(api.Event) error { return errMoved })
		case heard.IsZero() || !restarting(err) || time.Since(heard) > patience:
			return err
		}
		if !rest(c.ctx, pause) {
			return nil
		}
	}
}

// restarting reports whether an error is what a restart of the plant looks like.
func restarting(err error) bool {
	e, ok := errors.AsType[*api.Error](err)
	return ok && (e.Kind == api.KindUnreachable || e.Kind == api.KindUnavailable)
}

// rest waits; false means that ctx ended before.
func rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func writeStatus(w io.Writer, s api.Status, p palette) {
	fmt.Fprintln(w, lineSentence(s, p))
	if len(s.Services) == 0 {
		fmt.Fprintln(w, "\nNo service yet. In a repository: `andon init`, commit, and push it here.")
	}
	for _, service := range s.Services {
		fmt.Fprintln(w)
		writeService(w, service, s.Time, p)
	}
	if len(s.Cords) > 0 {
		fmt.Fprintln(w, "\nStopped:")
		for _, cord := range s.Cords {
			writeCord(w, cord, s.Time, p)
		}
	}
	fmt.Fprintln(w, "\nAgents:")
	var agents table
	for _, a := range s.Agents {
		agents.row(a.Name, agentState(a), since(a.Since, s.Time), a.Reason)
	}
	if len(s.Agents) == 0 {
		agents.row("none: nothing can run until one connects")
	}
	agents.write(w, "  ")
}

func lineSentence(s api.Status, p palette) string {
	switch s.Line {
	case api.Stopped:
		return p.red("The line is stopped: ") + count(len(s.Cords), "cord is", "cords are") + " pulled."
	case api.Slow:
		return p.yellow("The line runs, but a commit stage is slower than its budget.")
	default:
		return p.green("The line runs.")
	}
}

// platformDocker is the name of the platform of containers.
const platformDocker = andon.PlatformDocker

func agentState(a api.Agent) string {
	if !a.Connected {
		return "away"
	}
	state := fmt.Sprintf("connected, %d of %d slots busy", a.Busy, a.Slots)
	if slices.Contains(a.Platforms, platformDocker) {
		state += ", has containers"
	}
	return state
}

func writeService(w io.Writer, s api.ServiceStatus, now time.Time, p palette) {
	newest := "no version yet"
	if s.Newest > 0 {
		newest = fmt.Sprintf("newest version %d", s.Newest)
	}
	fmt.Fprintf(w, "%s  %s\n", p.bold(s.Service), p.faint(newest))
	var places table
	for _, e := range s.Environments {
		places.row(placeCells(e, now)...)
	}
	places.write(w, "  ")
	for _, v := range s.OnItsWay {
		fmt.Fprintf(w, "  %s\n", onItsWay(v, now))
		if v.Action != "" {
			fmt.Fprintf(w, "    %s\n", p.faint("→ "+v.Action))
		}
	}
}

func placeCells(e api.PlaceStatus, now time.Time) []string {
	cells := []string{e.Environment, "nothing live", "", ""}
	if e.Live != nil {
		cells[1] = fmt.Sprintf("version %d", e.Live.Version)
		if e.Live.Platform == platformDocker {
			cells[1] += " in containers"
		}
		cells[2] = fmt.Sprintf("%d of %d healthy", e.Copies.Healthy, e.Copies.Wanted)
		if n := e.Copies.Unattested; n > 0 {
			cells[2] += fmt.Sprintf(", %d not attested", n)
		}
		if n := e.Copies.InTraffic; n < e.Copies.Healthy && len(e.URLs) > 0 && e.Deployment == nil {
			cells[2] += fmt.Sprintf(", %d in traffic", n) // some proxy does not reach the others
		}
		if e.Warm != nil {
			cells[2] += fmt.Sprintf(", version %d warm", e.Warm.Version)
		}
		cells[3] = since(e.Live.Since, now)
	}
	doing := strings.Join(e.URLs, " ")
	if d := e.Deployment; d != nil {
		doing = fmt.Sprintf("%s of version %d: %s %s", d.Kind, d.Version, d.Step, since(d.Since, now))
		if d.Reason != "" {
			doing += ": " + printable(d.Reason)
		}
	}
	return append(cells, doing)
}

func onItsWay(v api.OnItsWay, now time.Time) string {
	where := "in " + v.Stage
	if v.Waiting {
		where = "before " + v.Stage
	}
	text := fmt.Sprintf("version %d %s %s  %s", v.Version, where, since(v.Since, now), printable(v.Subject))
	if v.Reason != "" {
		text += ": " + printable(v.Reason)
	}
	return text
}

func writeCord(w io.Writer, cord api.Cord, now time.Time, p palette) {
	fmt.Fprintf(w, "  %s  %s  %s  by %s\n", p.red(cord.ID), scopeWords(cord.Scope), since(cord.Pulled, now), printable(cord.Owner))
	if cord.Reason != "" {
		fmt.Fprintf(w, "    %s\n", printable(cord.Reason))
	}
	if f := cord.Fix; f != nil {
		fmt.Fprintf(w, "    Released by itself when a version of %s after %d passes %s.\n", f.Service, f.After, f.Stage)
	}
	fmt.Fprintf(w, "    %s\n", p.faint("→ andon cord release "+cord.ID+" --reason …"))
}

func scopeWords(s api.Scope) string {
	switch s.Kind {
	case api.ScopeEnvironment:
		return "environment " + s.Environment
	case api.ScopeService:
		return "service " + s.Service
	default:
		return "the whole plant"
	}
}
