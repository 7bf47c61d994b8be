package line

import (
	"fmt"
	"slices"

	"github.com/andon-cd/andon/internal/andon"
)

// decide makes what was good before live again, whatever else is going on: a deployment in the
// middle is aborted, which alone brings back what was live before it.
func (r Rollback) decide(d *decision) error {
	w, err := r.way(d.s)
	if err != nil {
		return err
	}
	why := ""
	if r.Reason != "" {
		why = ": " + r.Reason
	}
	what := fmt.Sprintf("rolled back from %s to %s", w.bad, w.target.Version)
	d.clearWay(w.place, w.bad, what+" by "+string(d.by)+why)
	if !w.backAlready {
		d.emit(andon.DeploymentPlanned{Plan: d.s.planRelease(r.Place, w.environment, *w.target, andon.DeployRollback, d.by, r.Reason)})
	}
	d.stopFor(w.service, w.place, w.bad, what+why)
	return nil
}

// A wayBack is where a rollback goes, and from where.
type wayBack struct {
	service     *Service
	environment *andon.Environment
	place       *Place
	bad         andon.VersionNumber // that it takes away
	target      *andon.Release
	backAlready bool // the active deployment brings the target back when it is aborted
}

// way returns where the rollback goes as things are, or why it cannot.
func (r Rollback) way(s *State) (w wayBack, err error) {
	if w.service, err = s.findService(r.Place.Service); err != nil {
		return w, err
	}
	if w.environment, err = s.findEnvironment(r.Place.Environment); err != nil {
		return w, err
	}
	w.place = s.Places[r.Place.Key()]
	if w.place == nil || w.place.Live == nil && w.place.Active == nil {
		return w, andon.Errorf(andon.KindConflict, "nothing of %s is live in %s", r.Place.Service, r.Place.Environment).WithHint("deploy a version first")
	}
	bad, back, err := r.leaving(w.place)
	if err != nil {
		return w, err
	}
	w.bad = bad
	if w.target, err = r.target(w.place, bad, back); err != nil {
		return w, err
	}
	w.backAlready = back != nil && back.Version == w.target.Version
	return w, nil
}

// leaving returns the version that a rollback takes away, and what is live again, without a
// deployment of its own, once the active one has gone back (nil: no deployment is active).
func (r Rollback) leaving(p *Place) (andon.VersionNumber, *andon.Release, error) {
	for _, q := range p.Queued {
		if q.Plan.Kind == andon.DeployRollback {
			return 0, nil, andon.Errorf(andon.KindConflict, "a rollback of %s to version %s waits to begin already", p.Place, q.Plan.Release.Version).
				WithHint("`andon cancel %s` takes it back", q.Plan.ID)
		}
	}
	d := p.Active
	if d == nil {
		return p.Live.Version, nil, nil
	}
	going := d.Plan.Release.Version
	switch {
	case d.Plan.Previous == nil && r.To == 0:
		return 0, nil, andon.Errorf(andon.KindConflict, "nothing was live of %s before version %s", p.Place, going).
			WithHint("`andon cancel %s` takes it away again", d.Plan.ID)
	case d.Plan.Previous == nil:
		return going, &andon.Release{}, nil
	case d.Step == andon.StepReverting && (r.To == 0 || r.To == d.Plan.Previous.Version):
		return 0, nil, andon.Errorf(andon.KindConflict, "%s goes back to version %s already", p.Place, d.Plan.Previous.Version)
	case d.Plan.Kind == andon.DeployRollback && (r.To == 0 || r.To == going):
		return 0, nil, andon.Errorf(andon.KindConflict, "%s is being rolled back to version %s already", p.Place, going)
	case d.Plan.Kind == andon.DeployRollback || d.Step == andon.StepReverting:
		return d.Plan.Previous.Version, d.Plan.Previous, nil
	default:
		return going, d.Plan.Previous, nil
	}
}

// target returns the release to make live again.
func (r Rollback) target(p *Place, bad andon.VersionNumber, back *andon.Release) (*andon.Release, error) {
	if r.To == 0 && back != nil {
		return back, nil
	}
	if back != nil && r.To == back.Version && back.Version != bad {
		return back, nil
	}
	if r.To == bad {
		return nil, andon.Errorf(andon.KindConflict, "version %s is the one that a rollback of %s would replace", bad, p.Place).
			WithHint("name an earlier version, or none for the previous good one")
	}
	for _, g := range slices.Backward(p.Good) {
		switch {
		case r.To == 0 && (g.Release.Version == bad || g.Quarantined):
			continue
		case r.To != 0 && g.Release.Version != r.To:
			continue
		case g.Quarantined:
			return nil, andon.Errorf(andon.KindRefused, "version %s is quarantined: it was rolled back", r.To).
				WithHint("push a commit that repairs it")
		}
		return &g.Release, nil
	}
	if r.To == 0 {
		return nil, andon.Errorf(andon.KindConflict, "%s has no earlier good version to go back to", p.Place).
			WithHint("push a fix: its version may pass a stopped line")
	}
	return nil, andon.Errorf(andon.KindRefused, "version %s was never good in %s, or too long ago", r.To, p.Place.Environment).
		WithHint("`andon audit %s` shows what was live there", p.Place.Service)
}

// clearWay turns the active deployment of the place back, quarantines the bad version, and ends
// its way and its deployments to other environments too.
func (d *decision) clearWay(p *Place, bad andon.VersionNumber, reason string) {
	for _, env := range sorted(d.s.Environments) {
		q := d.s.Places[andon.Place{Service: p.Place.Service, Environment: env}.Key()]
		if q == nil || q.Active == nil || q.Active.Step == andon.StepReverting {
			continue
		}
		if q == p || q.Active.Plan.Release.Version == bad {
			d.emit(d.s.revert(q, andon.Aborted, reason)...)
		}
	}
	ref := andon.VersionRef{Service: p.Place.Service, Number: bad}
	if v := d.s.version(ref); v != nil {
		if v.Maturity != andon.Quarantined {
			d.emit(andon.MaturityChanged{Version: ref, From: v.Maturity, To: andon.Quarantined, Reason: reason})
		}
		if v.Open() {
			d.emit(d.s.endVersion(v, andon.Cancelled, reason, d.now)...)
		}
	}
}

// stopFor pulls the cord for a rollback: what was on its way already may have the fault too, so
// only what reaches the trunk from now on may pass.
func (d *decision) stopFor(svc *Service, p *Place, bad andon.VersionNumber, reason string) {
	var fix *andon.Fix
	if v := svc.Versions[bad]; v != nil && v.Pipeline != nil {
		if st, _, ok := v.Pipeline.StageFor(p.Place.Environment); ok {
			fix = &andon.Fix{Service: svc.Name, Broken: bad, After: svc.Newest, Stage: st.Name}
		}
	}
	d.emit(d.s.pull(d.by, andon.Scope{Kind: andon.ScopeService, Service: svc.Name}, reason, fix, d.now))
}
