package cli

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
)

type statusCmd struct {
	Service string `arg:"" optional:"" help:"Only this service."`
	Follow  bool   `short:"f" help:"Go on: show what changes whenever something happens."`
}

// Run shows the plant at a glance.
func (cmd *statusCmd) Run(c *call) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	switch in, out, ok := c.takesScreen(); {
	case !cmd.Follow:
		s, err := client.Status(c.ctx, cmd.Service)
		if err != nil {
			return c.known(client, cmd.Service, err)
		}
		c.sayStatus(s)
		return nil
	case c.json || !ok:
		return c.followStatus(client, cmd.Service)
	default:
		return c.watchStatus(client, cmd.Service, in, out)
	}
}

func (c *call) sayStatus(s api.Status) {
	if c.json {
		c.sayJSON(c.out, s)
		return
	}
	writeStatus(c.out, s, c.paint(c.out))
}

// followStatus prints the plant, and again what has changed of it; as JSON, all of it.
func (c *call) followStatus(client *api.Client, service string) error {
	var shown *api.Status
	lost := false
	return c.follow(c.ctx, client, service, followPatience, func(s sight) error {
		switch {
		case !s.Lost.IsZero():
			lost = true
			fmt.Fprintf(c.err, "andon: %s the connection is lost; trying again\n", clock(s.Lost, s.Lost))
			return nil
		case lost:
			lost = false
			fmt.Fprintf(c.err, "andon: %s the connection is back\n", clock(s.Taken, s.Taken))
		}
		if c.json || shown == nil {
			c.sayStatus(s.Status)
		} else {
			writeChanges(c.out, *shown, s.Status, c.paint(c.out))
		}
		shown = &s.Status
		return nil
	})
}

// watchStatus shows the plant on the whole terminal, and leaves there what it showed last.
func (c *call) watchStatus(client *api.Client, service string, in, out *os.File) error {
	var newest api.Status
	err := c.watch(in, out, client, service, func(s *sight, w *window, now time.Time) []string {
		newest = s.Status
		var text strings.Builder
		newest.Time = s.now(now)
		writeStatus(&text, newest, c.paint(out))
		lines := strings.Split(strings.TrimSuffix(strings.ReplaceAll(text.String(), "\t", " "), "\n"), "\n")
		return w.frame(nil, lines, []string{footer(s, w, len(lines), now, c.paint(out))})
	})
	if newest.Plant != "" {
		writeStatus(c.out, newest, c.paint(c.out))
	}
	return err
}

// writeStatus writes all blocks of a status.
func writeStatus(w io.Writer, s api.Status, p palette) {
	for i, b := range statusBlocks(s, s.Time, p) {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprint(w, b.text)
	}
}

// writeChanges writes those blocks of a status that say something else than those of an older one.
func writeChanges(w io.Writer, old, s api.Status, p palette) {
	said := map[string]string{}
	for _, b := range statusBlocks(old, s.Time, p) { // so that it is no change that things got older
		said[b.name] = b.text
	}
	var changed []string
	for _, b := range statusBlocks(s, s.Time, p) {
		if said[b.name] != b.text {
			changed = append(changed, b.text)
		}
		delete(said, b.name)
	}
	for _, name := range slices.Sorted(maps.Keys(said)) {
		changed = append(changed, name+" is gone.\n")
	}
	if len(changed) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", p.faint(clock(s.Time, s.Time)))
	for _, text := range changed {
		fmt.Fprint(w, text)
	}
}

// A block is what a status says of one thing: lines of text.
type block struct{ name, text string }

// statusBlocks returns what a status says, with the ages that things have at a time.
func statusBlocks(s api.Status, now time.Time, p palette) []block {
	blocks := []block{{"The line", lineSentence(s, p) + "\n"}}
	add := func(name string, write func(w io.Writer)) {
		var text strings.Builder
		write(&text)
		blocks = append(blocks, block{name, text.String()})
	}
	if len(s.Services) == 0 {
		add("No service", func(w io.Writer) {
			fmt.Fprintln(w, "No service yet. In a repository: `andon init`, commit, and push it here.")
		})
	}
	for _, service := range s.Services {
		add(service.Service, func(w io.Writer) { writeService(w, service, now, p) })
	}
	if len(s.Cords) > 0 {
		add("The stop", func(w io.Writer) {
			fmt.Fprintln(w, "Stopped:")
			for _, cord := range s.Cords {
				writeCord(w, cord, now, p)
			}
		})
	}
	add("Agents", func(w io.Writer) { writeAgents(w, s, now) })
	return blocks
}

func writeAgents(w io.Writer, s api.Status, now time.Time) {
	fmt.Fprintln(w, "Agents:")
	var agents table
	for _, a := range s.Agents {
		agents.row(a.Name, agentState(a), since(a.Since, now), a.Reason)
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
	if a.Slots == 0 {
		state = "connected, for copies"
	}
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
	text := fmt.Sprintf("version %d %s %s  %s", v.Version, where, since(v.Since, now), headline(v.Subject))
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
