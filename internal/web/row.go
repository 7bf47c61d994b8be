package web

import (
	"cmp"
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

// A row is one service on the board.
type row struct {
	Service  andon.ServiceName
	State    string // running, slow or stopped
	Cords    []andon.CordID
	OnItsWay []onItsWay
	Places   []place
}

// mostOnTheirWay is how many versions of a service the board names.
const mostOnTheirWay = 3

// onItsWay is a version that has not come to its end, or the newest one if all have.
type onItsWay struct {
	Number  andon.VersionNumber
	Subject string
	Author  string
	At      string // the stage that it is in or waits for, or how it ended
	Look    string // moving, waiting, failed, done, or over: superseded or cancelled on its way
	Since   time.Time
	Reason  string // why it waits
	Action  string // what unblocks it
}

// A place is a service in one environment.
type place struct {
	Environment andon.EnvironmentName
	Live        andon.VersionNumber // 0: nothing
	Since       time.Time
	URL         string
	Healthy     int
	Wanted      int
	Moving      *moving
}

// moving is a deployment that is on its way.
type moving struct {
	ID      andon.DeploymentID
	Version andon.VersionNumber
	Back    bool // it goes back to what was live before, or reverts
	Step    string
}

// readRow copies what the board shows of a service from the state.
func readRow(s *line.State, service *line.Service, environments []andon.EnvironmentName, now time.Time) row {
	r := row{Service: service.Name, Places: readPlaces(s, service.Name, environments)}
	r.State, r.Cords = lineStateOf(s, service, now)
	r.OnItsWay = ways(s, service, now)
	return r
}

// lineStateOf says whether a service's line runs, is slow or stopped, and by which cords.
func lineStateOf(s *line.State, service *line.Service, now time.Time) (state string, cords []andon.CordID) {
	for _, cord := range s.Cords {
		if cord.Scope.Covers(service.Name, "") {
			cords = append(cords, cord.ID)
		}
	}
	switch {
	case len(cords) > 0:
		return "stopped", cords
	case service.Slow(now):
		return "slow", nil
	default:
		return "running", nil
	}
}

func readPlaces(s *line.State, service andon.ServiceName, environments []andon.EnvironmentName) []place {
	places := make([]place, len(environments))
	for i, env := range environments {
		places[i] = readPlace(s, andon.Place{Service: service, Environment: env})
	}
	return places
}

// ways returns the versions that are on their way, the newest first; when none is, the newest.
func ways(s *line.State, service *line.Service, now time.Time) []onItsWay {
	var open []*line.Version
	for _, v := range service.Versions {
		if v.Ended == nil {
			open = append(open, v)
		}
	}
	slices.SortFunc(open, newerFirst)
	if len(open) == 0 {
		if newest := service.Versions[service.Newest]; newest != nil {
			return []onItsWay{way(newest)}
		}
		return nil
	}
	waits := s.WaitingFor(service.Name, now)
	var all []onItsWay
	for _, v := range open[:min(len(open), mostOnTheirWay)] {
		w := way(v)
		for _, wait := range waits {
			if wait.Version == v.Ref.Number && wait.Deployment == "" && v.Run == nil {
				w.Reason, w.Action, w.Since = wait.Reason, wait.Action, wait.Since
				break
			}
		}
		all = append(all, w)
	}
	return all
}

// newerFirst orders versions of a service.
func newerFirst(a, b *line.Version) int { return cmp.Compare(b.Ref.Number, a.Ref.Number) }

func way(v *line.Version) onItsWay {
	w := onItsWay{Number: v.Ref.Number, Subject: v.Subject, Author: v.Author, At: string(v.Stage()), Look: "waiting", Since: v.Since}
	switch {
	case v.Ended != nil && v.Ended.Outcome == andon.Failed:
		w.At, w.Look, w.Since = "failed", "failed", v.Ended.At
		if n := len(v.Stages); n > 0 {
			w.At = "failed in " + string(v.Stages[n-1].Stage)
		}
	case v.Ended != nil:
		w.At, w.Look, w.Since = string(v.Ended.Outcome), "over", v.Ended.At
		if v.Ended.Outcome == andon.Succeeded {
			w.At, w.Look = string(v.Maturity), maturityLook(v.Maturity)
		}
	case v.Run != nil:
		w.At, w.Look, w.Since = string(v.Run.Stage), "moving", v.Run.Started
	}
	return w
}

// maturityLook is how a version looks that has come to its end with a maturity.
func maturityLook(m andon.Maturity) string {
	if m == andon.Quarantined {
		return "failed"
	}
	return "done"
}

func readPlace(s *line.State, at andon.Place) place {
	p := place{Environment: at.Environment}
	known := s.PlaceOf(at)
	if known == nil {
		return p
	}
	p.Since = known.Since
	if known.Live != nil {
		p.Live = known.Live.Version
	}
	for _, c := range known.Desired.Copies {
		if known.IsWarm(c.Group) {
			continue
		}
		p.Wanted++
		if record := known.Copies[c.ID]; record != nil && s.Attests(c.Agent) && record.Observed.Phase == andon.PhaseHealthy {
			p.Healthy++
		}
	}
	if urls := s.URLs(known); len(urls) > 0 {
		p.URL = urls[0] + "/"
	}
	if d := known.Active; d != nil {
		p.Moving = &moving{
			ID: d.Plan.ID, Version: d.Plan.Release.Version, Step: stepWords(d.Step),
			Back: d.Plan.Kind == andon.DeployRollback || d.Step == andon.StepReverting,
		}
	}
	return p
}

// stepWords says what a deployment does now.
func stepWords(step andon.DeploymentStep) string {
	switch step {
	case andon.StepPlacing:
		return "copies start"
	case andon.StepSmoking:
		return "smoke tests"
	case andon.StepSwitching:
		return "traffic moves"
	case andon.StepPausing:
		return "is watched"
	case andon.StepSoaking:
		return "soaks"
	case andon.StepDraining:
		return "requests end"
	case andon.StepRemoving:
		return "old copies stop"
	case andon.StepReverting:
		return "goes back"
	default:
		return string(step)
	}
}
