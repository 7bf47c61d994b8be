package web

import (
	"cmp"
	"context"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/estate"
	"github.com/andon-cd/andon/internal/line"
)

// How much one page of an environment shows.
const (
	mostServices = 100
	mostHosts    = 100
)

// environmentPages are the templates of the pages about environments.
type environmentPages struct{ all, one, compared *template.Template }

// handleEnvironments serves what runs where.
func (p *pages) handleEnvironments(mux *http.ServeMux) {
	p.environments = environmentPages{
		all:      parse("live.html", "environments.html", "hosts.html"),
		one:      parse("live.html", "environment.html", "hosts.html"),
		compared: parse("live.html", "compare.html"),
	}
	p.handleLive(mux, "/environments", p.describeEnvironments)
	p.handleLive(mux, "/environments/{environment}", p.describeEnvironment)
}

func environmentPath(name andon.EnvironmentName) string { return "/environments/" + string(name) }

// An environmentSummary is one environment in the list of all.
type environmentSummary struct {
	Name     andon.EnvironmentName
	Settings []estate.Setting
	Cords    []andon.Cord
	Live     int // services that have something live there
	Moving   int // of them, those whose deployment goes on
	Unwell   int // of them, those with fewer healthy copies than wanted
	Hosts    []hostRow
	More     int // hosts that are not named
	Others   []andon.EnvironmentName
}

// A hostRow is a host as an environment has it.
type hostRow struct {
	Name     andon.AgentName
	Labels   []string
	Platform string
	Address  string
	Build    string
	Edge     bool // its proxy answers for the services
	Chosen   bool // new copies go there
	Away     bool
	Since    time.Time // of its connection, or since when it is gone
	Reason   string    // why it is gone
	Attests  bool      // it said what is there since it connected
	Copies   int       // that it should have
	Unwell   int       // of them, those that are not attested healthy
}

func (p *pages) describeEnvironments(*http.Request) (livePage, error) {
	return livePage{
		path: "/environments", title: "Environments", class: "environments", template: p.environments.all,
		parts: []string{"environments"},
		read:  func(ctx context.Context) (any, error) { return p.readEnvironments(ctx) },
	}, nil
}

func (p *pages) readEnvironments(ctx context.Context) (all []environmentSummary, err error) {
	err = p.Engine.View(ctx, func(s *line.State) {
		names := s.EnvironmentsInOrder()
		tallies := tally(s, names...)
		for _, name := range names {
			all = append(all, summarise(s, s.Environments[name], tallies[name]))
		}
	})
	for i := range all {
		all[i].finish()
	}
	return all, err
}

// A tallied environment is what was counted in it.
type tallied struct {
	live, moving, unwell int
	hosts                map[andon.AgentName]*hostRow
}

func (t *tallied) host(name andon.AgentName) *hostRow {
	h := t.hosts[name]
	if h == nil {
		h = &hostRow{Name: name}
		t.hosts[name] = h
	}
	return h
}

// tally counts what runs in some environments, by one look at each place.
func tally(s *line.State, names ...andon.EnvironmentName) map[andon.EnvironmentName]*tallied {
	all := make(map[andon.EnvironmentName]*tallied, len(names))
	for _, name := range names {
		all[name] = &tallied{hosts: map[andon.AgentName]*hostRow{}}
	}
	for _, p := range s.Places {
		t := all[p.Place.Environment]
		if t == nil {
			continue
		}
		if p.Live != nil {
			t.live++
		}
		if p.Active != nil {
			t.moving++
		}
		unwell := 0
		for i := range p.Desired.Copies {
			c := &p.Desired.Copies[i]
			h := t.host(c.Agent)
			h.Copies++
			if !healthy(s, p, c) {
				h.Unwell++
				unwell++
			}
		}
		if unwell > 0 {
			t.unwell++
		}
	}
	return all
}

// healthy reports whether a copy is attested healthy, with what it should run.
func healthy(s *line.State, p *line.Place, c *andon.Copy) bool {
	r := p.Copies[c.ID]
	return r != nil && s.Attests(c.Agent) && r.Observed.Phase == andon.PhaseHealthy && r.Observed.Artifact == c.Artifact && r.Observed.Config == c.Config
}

// summarise copies what the pages show of an environment as a whole.
func summarise(s *line.State, e *andon.Environment, t *tallied) environmentSummary {
	out := environmentSummary{Name: e.Name, Settings: estate.Settings(*e), Live: t.live, Moving: t.moving, Unwell: t.unwell}
	for _, c := range s.Cords {
		if c.Scope.Kind == andon.ScopePlant || c.Scope.Kind == andon.ScopeEnvironment && c.Scope.Environment == e.Name {
			out.Cords = append(out.Cords, c.Cord)
		}
	}
	for _, other := range s.EnvironmentsInOrder() {
		if other != e.Name {
			out.Others = append(out.Others, other)
		}
	}
	chosen, edges := s.HostsOf(e)
	for _, name := range chosen {
		t.host(name).Chosen = true
	}
	for _, name := range edges {
		t.host(name).Edge = true
	}
	for name, h := range t.hosts {
		h.read(s, name)
		out.Hosts = append(out.Hosts, *h)
	}
	return out
}

func (h *hostRow) read(s *line.State, name andon.AgentName) {
	a := s.Agents[name]
	if a == nil {
		h.Away, h.Reason = true, "it was never here"
		return
	}
	for _, key := range slices.Sorted(maps.Keys(a.Labels)) {
		h.Labels = append(h.Labels, key+"="+a.Labels[key])
	}
	platforms := a.Platforms
	if len(platforms) == 0 {
		platforms = []string{andon.PlatformProcess}
	}
	for i, platform := range platforms {
		if i > 0 {
			h.Platform += ", "
		}
		h.Platform += platform
	}
	h.Address, h.Build = a.Address, a.Build
	h.Away, h.Since, h.Reason, h.Attests = a.Lost, a.Since, a.Reason, s.Attests(name)
}

// finish orders the hosts, those first that somebody should look at, and bounds them.
func (e *environmentSummary) finish() {
	rank := func(h hostRow) int {
		switch {
		case h.Away:
			return 0
		case h.Unwell > 0:
			return 1
		default:
			return 2
		}
	}
	slices.SortFunc(e.Hosts, func(a, b hostRow) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Name, b.Name)) })
	if n := len(e.Hosts); n > mostHosts {
		e.Hosts, e.More = e.Hosts[:mostHosts], n-mostHosts
	}
}

// describeEnvironment says which environment's page is asked for, and which part of it: from a
// service on, what is on one host, or what is not well; or how it differs from another one.
func (p *pages) describeEnvironment(r *http.Request) (livePage, error) {
	name, q := andon.EnvironmentName(r.PathValue("environment")), r.URL.Query()
	asked := selection{From: andon.ServiceName(q.Get("from")), Host: andon.AgentName(q.Get("host")), OnlyUnwell: q.Get("show") == "unwell"}
	if asked.From != "" && !andon.ValidName(string(asked.From)) || asked.Host != "" && !andon.ValidName(string(asked.Host)) {
		return livePage{}, andon.Errorf(andon.KindInvalid, "The address names no service or host.")
	}
	if other := andon.EnvironmentName(q.Get("compare")); other != "" {
		return p.describeComparison(name, other, asked.From), nil
	}
	return livePage{
		path: asked.path(name), title: string(name), class: "environment", template: p.environments.one,
		parts: []string{"environment-head", "hosts", "running"},
		read:  func(ctx context.Context) (any, error) { return p.readEnvironment(ctx, name, asked) },
	}, nil
}

// A selection is which services of an environment a page shows.
type selection struct {
	From       andon.ServiceName // and those after it
	Host       andon.AgentName   // only those that are on it
	OnlyUnwell bool              // only those that are not well, or change
}

// path returns the address of the page that shows a selection.
func (a selection) path(name andon.EnvironmentName) string {
	q := url.Values{}
	if a.From != "" {
		q.Set("from", string(a.From))
	}
	if a.Host != "" {
		q.Set("host", string(a.Host))
	}
	if a.OnlyUnwell {
		q.Set("show", "unwell")
	}
	if len(q) == 0 {
		return environmentPath(name)
	}
	return environmentPath(name) + "?" + q.Encode()
}

func noEnvironment(name andon.EnvironmentName) error {
	return andon.Errorf(andon.KindNotFound, "There is no environment %.100s.", name)
}
