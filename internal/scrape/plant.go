package scrape

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/line"
)

const (
	// viewTimeout bounds the wait for the owner of the state.
	viewTimeout = 5 * time.Second
	// mostNamed bounds the services, and the agents, that have series of their own: the first by
	// name. andon_lines and andon_agents count all of them.
	mostNamed = 2000
)

// A plant collects the metrics of one. It implements prometheus.Collector.
type plant struct{ config Config }

// desc describes a metric; its name gets the prefix of all.
func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("andon_"+name, help, labels, nil)
}

// The metrics. They never change.
var (
	buildInfo   = desc("build_info", "The version of andon, as a label; always 1.", "version")
	lineState   = desc("line_state", "1 for the state that the line of a service is in, 0 for the others.", "service", "state")
	lines       = desc("lines", "Services by the state of their lines.", "state")
	cords       = desc("cords_pulled", "Cords that are pulled now, by their scope.", "scope")
	oldestCord  = desc("cord_oldest_age_seconds", "For how long the cord that was pulled first has been pulled; 0 without one.")
	queued      = desc("queue_tasks", "Tasks that wait for an agent.")
	oldestTask  = desc("queue_oldest_age_seconds", "For how long the task that waits longest has waited; 0 without one.")
	running     = desc("tasks_running", "Tasks that agents have.")
	deploying   = desc("deployments_active", "Deployments that are on their way, by environment.", "environment")
	waiting     = desc("deployments_queued", "Deployments that wait for their place, by environment.", "environment")
	ended       = desc("deployments_total", "Deployments that ended, since the journal began.", "environment", "kind", "outcome")
	agents      = desc("agents", "Agents by whether they are connected.", "state")
	agentUp     = desc("agent_connected", "Whether an agent is connected.", "agent")
	agentSlots  = desc("agent_slots", "Jobs that an agent does at once at most.", "agent")
	agentJobs   = desc("agent_jobs", "Jobs that an agent does now.", "agent")
	position    = desc("journal_position", "Number of the newest event of the journal.")
	readUpTo    = desc("history_position", "Number of the newest event that pages of the past show.")
	requests    = desc("requests_total", "Requests to an environment's routes, as proxies had counted them at the last change of each route.", "environment")
	lost        = desc("requests_lost_total", "Of these, those that failed: answered by the proxy itself with an error, or cut off by a copy.", "environment")
	leadTime    = desc("lead_time_seconds", "Change lead time, from commit to production, of the changes that production has.")
	lineStates  = []string{"running", "slow", "stopped"}
	scopes      = []andon.ScopeKind{andon.ScopePlant, andon.ScopeEnvironment, andon.ScopeService}
	agentStates = []string{"connected", "lost"}
)

// Describe implements prometheus.Collector.
func (p *plant) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		buildInfo, lineState, lines, cords, oldestCord, queued, oldestTask, running, deploying, waiting, ended,
		agents, agentUp, agentSlots, agentJobs, position, readUpTo, requests, lost, leadTime,
	} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (p *plant) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(buildInfo, 1, p.config.Build)
	gauge(position, float64(p.config.Engine.Head()))
	gauge(readUpTo, float64(p.config.History.Position()))
	ctx, cancel := context.WithTimeout(context.Background(), viewTimeout)
	defer cancel()
	var now present
	at := p.config.Engine.Now()
	if err := p.config.Engine.View(ctx, func(s *line.State) { now = read(s) }); err != nil {
		to <- prometheus.NewInvalidMetric(lineState, err)
		return
	}
	now.emit(gauge, at)
	if totals, known := p.config.History.Totals(); known {
		emitTotals(to, totals)
	}
}

// A present is what is copied from the state.
type present struct {
	services []service
	cords    map[andon.ScopeKind]int
	pulled   time.Time // the first of them; zero: none is
	queued   int
	since    time.Time // the first of them; zero: none is
	running  int
	places   map[andon.EnvironmentName]*places
	agents   []agent
}

type service struct {
	name  andon.ServiceName
	state string
}

type places struct{ active, queued int }

type agent struct {
	name        andon.AgentName
	connected   bool
	slots, jobs int
}

func read(s *line.State) present {
	now := present{cords: map[andon.ScopeKind]int{}, places: map[andon.EnvironmentName]*places{}, queued: len(s.Queue), running: len(s.Tasks) - len(s.Queue)}
	for _, c := range s.Cords {
		now.cords[c.Scope.Kind]++
		now.pulled = earlier(now.pulled, c.Pulled)
	}
	for _, id := range s.Queue {
		now.since = earlier(now.since, s.Tasks[id].Queued)
	}
	for name := range s.Environments {
		now.places[name] = &places{}
	}
	for _, p := range s.Places {
		if of := now.places[p.Place.Environment]; of != nil {
			of.queued += len(p.Queued)
			if p.Active != nil {
				of.active++
			}
		}
	}
	for name, svc := range s.Services {
		now.services = append(now.services, service{name, stateOf(s, svc)})
	}
	for name, a := range s.Agents {
		now.agents = append(now.agents, agent{name, !a.Lost, a.Slots, a.Jobs})
	}
	return now
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// stateOf says how the line of a service does, in the words of the board.
func stateOf(s *line.State, svc *line.Service) string {
	for _, c := range s.Cords {
		if c.Scope.Covers(svc.Name, "") {
			return "stopped"
		}
	}
	newest := svc.Versions[svc.Newest]
	if newest != nil && slices.ContainsFunc(newest.Stages, func(end line.StageEnd) bool { return end.Slow }) {
		return "slow"
	}
	return "running"
}

// emit gives out the metrics of the present.
func (now *present) emit(gauge func(d *prometheus.Desc, value float64, labels ...string), at time.Time) {
	slices.SortFunc(now.services, func(a, b service) int { return cmp.Compare(a.name, b.name) })
	count := map[string]int{}
	for i, svc := range now.services {
		count[svc.state]++
		for _, state := range lineStates {
			if i < mostNamed {
				gauge(lineState, truth(svc.state == state), string(svc.name), state)
			}
		}
	}
	for _, state := range lineStates {
		gauge(lines, float64(count[state]), state)
	}
	for _, scope := range scopes {
		gauge(cords, float64(now.cords[scope]), string(scope))
	}
	gauge(oldestCord, age(now.pulled, at))
	gauge(queued, float64(now.queued))
	gauge(oldestTask, age(now.since, at))
	gauge(running, float64(now.running))
	for name, of := range now.places {
		gauge(deploying, float64(of.active), string(name))
		gauge(waiting, float64(of.queued), string(name))
	}
	now.emitAgents(gauge)
}

func (now *present) emitAgents(gauge func(d *prometheus.Desc, value float64, labels ...string)) {
	slices.SortFunc(now.agents, func(a, b agent) int { return cmp.Compare(a.name, b.name) })
	count := map[string]int{}
	for i, a := range now.agents {
		count[agentStates[int(truth(!a.connected))]]++
		if i < mostNamed {
			gauge(agentUp, truth(a.connected), string(a.name))
			gauge(agentSlots, float64(a.slots), string(a.name))
			gauge(agentJobs, float64(a.jobs), string(a.name))
		}
	}
	for _, state := range agentStates {
		gauge(agents, float64(count[state]), state)
	}
}

func emitTotals(to chan<- prometheus.Metric, t history.Totals) {
	counter := func(d *prometheus.Desc, value int64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
	}
	for _, d := range t.Deployments {
		counter(ended, d.Count, string(d.Environment), string(d.Kind), string(d.Outcome))
	}
	for _, r := range t.Requests {
		counter(requests, r.Requests, string(r.Environment))
		counter(lost, r.Lost, string(r.Environment))
	}
	buckets := make(map[float64]uint64, len(t.Leads.Buckets))
	for i, bound := range history.LeadBounds() {
		buckets[bound.Seconds()] = uint64(t.Leads.Buckets[i]) //nolint:gosec // it counts
	}
	to <- prometheus.MustNewConstHistogram(leadTime, uint64(t.Leads.Count), t.Leads.Sum.Seconds(), buckets) //nolint:gosec // it counts
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// age returns the seconds since a time; 0 for none.
func age(since, at time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return max(at.Sub(since).Seconds(), 0)
}
