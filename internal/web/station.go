package web

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/line"
)

// What the picture of a line names of each stage at most.
const (
	mostVisitors = 4
	mostJobs     = 8
)

// A station is one stage of a service's line, as its picture shows it.
type station struct {
	Name     andon.StageName
	Approval bool           // a person lets versions in
	Grants   andon.Maturity // what a version earns here
	Place    *place         // where it deploys to; nil: nowhere
	Cords    []andon.CordID // that hold versions back from it
	Broken   bool           // the line stands because of what happened here
	Visitors []visitor      // versions: those that are in it, those that wait for it, the last that left it
	More     int            // versions that are not named
	Jobs     []jobMark      // of the version that is in it, or was last
	Unnamed  int            // jobs that are not named

	shown line.StageEnd // whose jobs these are
	ref   andon.VersionRef
}

// A visitor is a version at a stage.
type visitor struct {
	Number  andon.VersionNumber
	Subject string
	Look    string // moving, waiting, done or failed
	Words   string
	Since   time.Time
}

// A jobMark is how a job of a stage does.
type jobMark struct {
	Name  andon.JobName
	Look  string // moving, waiting, done, failed or ahead
	Words string
	Since time.Time // since when it runs or waits; zero: it does neither
	Took  string
	Log   string // empty: there is none yet
}

// mark is the sign of a look: no look is told by its colour alone.
func mark(look string) string {
	switch look {
	case "moving":
		return "▸"
	case "waiting":
		return "‖"
	case "failed":
		return "✕"
	case "done":
		return "✓"
	default:
		return "·"
	}
}

// readStations copies what the picture of a service's line shows from the state.
func readStations(s *line.State, service *line.Service, waits []andon.Wait) []station {
	p := service.Pipeline()
	if p == nil {
		return nil
	}
	stations := []station{{Name: andon.CommitStageName}}
	for _, stage := range p.Stages {
		st := station{Name: stage.Name, Approval: stage.Approval != nil, Grants: stage.Grants}
		if stage.Deploy != "" {
			at := readPlace(s, andon.Place{Service: service.Name, Environment: stage.Deploy})
			st.Place = &at
		}
		for _, c := range s.Cords {
			if c.Scope.Covers(service.Name, stage.Deploy) {
				st.Cords = append(st.Cords, c.ID)
			}
		}
		stations = append(stations, st)
	}
	for i := range stations {
		st := &stations[i]
		st.Broken = slices.ContainsFunc(s.Cords, func(c *line.Cord) bool {
			return c.Fix != nil && c.Fix.Service == service.Name && c.Fix.Stage == st.Name
		})
		st.visit(s, service, waits)
	}
	return stations
}

// visit notes the versions at a stage: those that move come first, the last that left it at the end.
func (st *station) visit(s *line.State, service *line.Service, waits []andon.Wait) {
	var inside, before []*line.Version
	var last *line.Version
	var left line.StageEnd
	for _, v := range service.Versions {
		switch {
		case v.Ended == nil && v.Run != nil && v.Run.Stage == st.Name:
			inside = append(inside, v)
		case v.Ended == nil && v.Run == nil && v.Stage() == st.Name:
			before = append(before, v)
		}
		for _, end := range v.Stages {
			if end.Stage == st.Name && end.Ended.After(left.Ended) {
				last, left = v, end
			}
		}
	}
	slices.SortFunc(inside, newerFirst)
	slices.SortFunc(before, newerFirst)
	for _, v := range inside {
		words := "runs"
		if !v.Trunk {
			words = "runs, of " + v.Branch
		}
		st.Visitors = append(st.Visitors, visitor{v.Ref.Number, v.Subject, "moving", words, v.Run.Started})
	}
	for _, v := range before {
		w := visitor{v.Ref.Number, v.Subject, "waiting", "waits", v.Since}
		if at := slices.IndexFunc(waits, func(w andon.Wait) bool { return w.Version == v.Ref.Number && w.Deployment == "" }); at >= 0 {
			w.Words = waitWords(waits[at])
		}
		st.Visitors = append(st.Visitors, w)
	}
	if last != nil {
		look, words := "done", "passed"
		switch {
		case left.Outcome != andon.Succeeded:
			look, words = "failed", string(left.Outcome)
		case last.Maturity == andon.Quarantined && last.Stages[len(last.Stages)-1].Stage == st.Name:
			look, words = "failed", "quarantined"
		}
		st.Visitors = append(st.Visitors, visitor{last.Ref.Number, last.Subject, look, words, left.Ended})
	}
	if n := len(st.Visitors); n > mostVisitors { // the last one stays: it is what the stage proved
		st.More = n - mostVisitors
		st.Visitors = append(st.Visitors[:mostVisitors-1], st.Visitors[n-1])
	}
	switch {
	case len(inside) > 0:
		st.show(s, inside[0])
	case last != nil:
		st.shown, st.ref = left, last.Ref
		st.name(last)
	}
}

// waitWords says in two or three words what a version waits for.
func waitWords(w andon.Wait) string {
	switch w.Kind {
	case andon.WaitApproval:
		return "waits for approval"
	case andon.WaitCord:
		return "held by " + w.On
	case andon.WaitLock:
		return "waits for its turn"
	case andon.WaitAgent:
		return "waits for an agent"
	default:
		return "waits"
	}
}

// jobsOf returns the jobs of a stage of a version.
func jobsOf(v *line.Version, stage andon.StageName) []andon.Job {
	if v.Pipeline == nil {
		return nil
	}
	if stage == andon.CommitStageName {
		return v.Pipeline.Commit.Jobs
	}
	if st, _, ok := v.Pipeline.Stage(stage); ok {
		return st.Jobs
	}
	return nil
}

// name lists the jobs of a version that left the stage; how they did, the history knows.
func (st *station) name(v *line.Version) {
	jobs := jobsOf(v, st.Name)
	if len(jobs) > mostJobs {
		st.Unnamed = len(jobs) - mostJobs
		jobs = jobs[:mostJobs]
	}
	for _, j := range jobs {
		st.Jobs = append(st.Jobs, jobMark{Name: j.Name, Look: "ahead", Words: "did not run"})
	}
}

// show lists the jobs of a version that is in the stage, with how they do.
func (st *station) show(s *line.State, v *line.Version) {
	st.shown, st.ref = line.StageEnd{Stage: st.Name, Run: v.Run.Run}, v.Ref
	st.name(v)
	for i := range st.Jobs {
		j := &st.Jobs[i]
		run := v.Run.Jobs[j.Name]
		j.Words = "not yet"
		if run == nil {
			continue
		}
		if run.Outcome != "" {
			j.Look, j.Words = outcomeLook(run.Outcome), string(run.Outcome)
			continue
		}
		j.Look, j.Words = "waiting", "waits for an agent"
		if t := s.Tasks[run.Task]; t != nil {
			j.Since = t.Queued
			if t.Agent != "" {
				j.Look, j.Words, j.Since = "moving", "runs on "+string(t.Agent), t.Leased
				j.Log = andon.TaskLogStream(t.Task.ID, t.Attempt)
			}
		}
	}
}

func outcomeLook(o andon.Outcome) string {
	if o == andon.Succeeded {
		return "done"
	}
	return "failed"
}

// recall fills in what only the history knows of the jobs: how long they took, and where their logs
// are.
func (p *pages) recall(ctx context.Context, stations []station) error {
	known := map[andon.VersionRef][]history.StageRun{}
	for i := range stations {
		st := &stations[i]
		if len(st.Jobs) == 0 {
			continue
		}
		runs, ok := known[st.ref]
		if !ok {
			var err error
			if runs, err = p.History.Stages(ctx, st.ref); err != nil {
				return err
			}
			known[st.ref] = runs
		}
		for _, run := range runs {
			if run.Stage == st.Name && run.Run == st.shown.Run {
				st.remember(run.Tasks)
			}
		}
	}
	return nil
}

func (st *station) remember(tasks []history.Task) {
	for i := range st.Jobs {
		j := &st.Jobs[i]
		at := slices.IndexFunc(tasks, func(t history.Task) bool { return t.Job == j.Name && t.Kind == andon.TaskJob })
		if at < 0 || len(tasks[at].Attempts) == 0 {
			continue
		}
		task := tasks[at]
		attempt := task.Attempts[len(task.Attempts)-1]
		j.Log = attempt.Log
		if task.Outcome != "" && !attempt.Ended.IsZero() {
			j.Look, j.Words, j.Since = outcomeLook(task.Outcome), string(task.Outcome), time.Time{}
			j.Took = took(attempt.Ended.Sub(attempt.Leased))
		}
	}
}

// Look says how the stage does, in a word of the style sheet.
func (st station) Look() string {
	if len(st.Visitors) == 0 {
		return "ahead"
	}
	return st.Visitors[0].Look
}

// Sentence tells the stage to those who do not see it.
func (st station) Sentence() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Stage %s", st.Name)
	if st.Place != nil {
		fmt.Fprintf(&b, ", which deploys to %s", st.Place.Environment)
	}
	if st.Approval {
		b.WriteString(", behind an approval")
	}
	for _, c := range st.Cords {
		fmt.Fprintf(&b, ", stopped by %s", c)
	}
	if len(st.Visitors) == 0 {
		b.WriteString(": no version yet")
	}
	for i, v := range st.Visitors {
		separator := ": "
		if i > 0 {
			separator = "; "
		}
		fmt.Fprintf(&b, "%sversion %s %s", separator, v.Number, v.Words)
	}
	return b.String() + "."
}
