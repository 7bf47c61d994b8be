package web

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

// An environmentPage is one environment: its hosts, and what runs there.
type environmentPage struct {
	environmentSummary
	selection
	Running []running
	Count   int    // services that the selection has
	Next    string // address of the next page; empty: this is the last
}

// A running service is what an environment has of it.
type running struct {
	place
	Service  andon.ServiceName
	Artifact andon.Digest
	Config   string // what tells its configuration from others, in short
	Hosts    []string
	Copies   []copyRow
}

// A copyRow is one copy as its agent attests it.
type copyRow struct {
	ID       andon.InstanceID
	Agent    andon.AgentName
	Version  andon.VersionNumber
	Look     string // done, moving, waiting or failed
	Words    string
	Since    time.Time // since when it is so; zero: it is not known
	Routed   bool      // it gets requests
	Restarts int
	Reason   string
	Log      string
}

// Mark is the sign of the look.
func (c copyRow) Mark() string { return mark(c.Look) }

func (p *pages) readEnvironment(ctx context.Context, name andon.EnvironmentName, asked selection) (page environmentPage, err error) {
	page.selection = asked
	known := false
	err = p.Engine.View(ctx, func(s *line.State) {
		e := s.Environments[name]
		if known = e != nil; known {
			page.environmentSummary = summarise(s, e, tally(s, name)[name])
			page.readRunning(s)
		}
	})
	if err == nil && !known {
		err = noEnvironment(name)
	}
	page.finish()
	return page, err
}

// readRunning copies the services of the page's selection, as many as one page holds.
func (page *environmentPage) readRunning(s *line.State) {
	for _, name := range slices.Sorted(maps.Keys(s.Services)) {
		known := s.PlaceOf(andon.Place{Service: name, Environment: page.Name})
		if known == nil || known.Live == nil && len(known.Desired.Copies) == 0 && known.Active == nil || !page.selects(s, known) {
			continue
		}
		page.Count++
		switch {
		case name < page.From:
		case len(page.Running) < mostServices:
			page.Running = append(page.Running, readRunning(s, known))
		case page.Next == "":
			next := page.selection
			next.From = name
			page.Next = next.path(page.Name)
		}
	}
}

// selects reports whether the page is about what is in a place.
func (a selection) selects(s *line.State, p *line.Place) bool {
	if a.Host != "" && !slices.ContainsFunc(p.Desired.Copies, func(c andon.Copy) bool { return c.Agent == a.Host }) {
		return false
	}
	return !a.OnlyUnwell || p.Active != nil ||
		slices.ContainsFunc(p.Desired.Copies, func(c andon.Copy) bool { return !healthy(s, p, &c) })
}

func readRunning(s *line.State, p *line.Place) running {
	r := running{place: readPlace(s, p.Place), Service: p.Place.Service}
	if p.Live != nil {
		r.Artifact, r.Config = p.Live.Artifact, shortHash(p.Live.Config)
	}
	if p.Desired.Route != nil {
		r.Hosts = slices.Clone(p.Desired.Route.Hosts)
	}
	for i := range p.Desired.Copies {
		r.Copies = append(r.Copies, readCopy(s, p, &p.Desired.Copies[i]))
	}
	return r
}

func readCopy(s *line.State, p *line.Place, c *andon.Copy) copyRow {
	row := copyRow{ID: c.ID, Agent: c.Agent, Version: c.Version, Look: "waiting", Words: "not attested yet", Routed: p.Desired.Routed(c.ID), Log: andon.InstanceLogStream(c.ID)}
	r := p.Copies[c.ID]
	if r == nil || r.Observed.Phase == "" {
		return row
	}
	row.Words, row.Since, row.Restarts, row.Reason = string(r.Observed.Phase), r.Since, r.Observed.Restarts, r.Observed.Reason
	switch {
	case !s.Attests(c.Agent):
		row.Words = "was " + row.Words + " when its host was last heard of"
		if a := s.Agents[c.Agent]; a != nil {
			row.Since = a.Since
		}
	case r.Observed.Phase == andon.PhaseStarting:
		row.Look = "moving"
	case r.Observed.Phase != andon.PhaseHealthy:
		row.Look = "failed"
	case r.Observed.Artifact != c.Artifact:
		row.Look, row.Words = "failed", "runs another artifact than it should"
	case r.Observed.Config != c.Config:
		row.Look, row.Words = "failed", "runs with other settings than it should"
	default:
		row.Look = "done"
		if p.IsWarm(c.Group) {
			row.Words = "healthy, kept warm"
		}
	}
	return row
}

// shortHash is enough of the hash of a configuration to tell it from another one.
func shortHash(h andon.ConfigHash) string {
	hex := strings.TrimPrefix(string(h), "sha256:")
	return hex[:min(len(hex), 8)]
}
