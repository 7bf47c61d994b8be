package line

import (
	"reflect"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

func (c CreatePlant) decide(d *decision) error {
	if d.s.Plant == "" && c.Plant == "" {
		return andon.Errorf(andon.KindInvalid, "a plant needs an ID")
	}
	for _, e := range c.Environments {
		if !andon.ValidName(string(e.Name)) {
			return andon.Errorf(andon.KindInvalid, "%q cannot name an environment", e.Name).WithHint(andon.NameRule)
		}
	}
	if d.s.Plant == "" {
		d.emit(andon.PlantCreated{Plant: c.Plant})
	}
	if d.s.Estate != nil {
		return nil // what it declares are the environments
	}
	for _, e := range c.Environments {
		if have := d.s.Environments[e.Name]; have == nil || !reflect.DeepEqual(*have, e) {
			d.emit(andon.EnvironmentDeclared{Environment: e})
		}
	}
	return nil
}

func (a AddService) decide(d *decision) error {
	if err := checkServiceName(a.Service); err != nil {
		return err
	}
	if d.s.Services[a.Service] != nil {
		return andon.Errorf(andon.KindConflict, "there is a service %s already", a.Service)
	}
	if err := d.s.nameFree(a.Service); err != nil {
		return err
	}
	d.emit(andon.ServiceAdded{Service: a.Service, Source: withTrunk(a.Source)})
	return nil
}

func checkServiceName(name andon.ServiceName) error {
	if !andon.ValidName(string(name)) {
		return andon.Errorf(andon.KindInvalid, "%q cannot name a service", name).WithHint(andon.NameRule)
	}
	return nil
}

func withTrunk(src andon.Source) andon.Source {
	if src.Trunk == "" {
		src.Trunk = "main"
	}
	return src
}

// decide ends everything of the service before it goes: nobody may wait for an item of a
// service that is gone.
func (r RemoveService) decide(d *decision) error {
	svc, err := d.s.findService(r.Service)
	if err != nil {
		return err
	}
	for _, v := range svc.open() {
		d.emit(d.s.endVersion(v, andon.Cancelled, "the service was removed", d.now)...)
	}
	for _, env := range sorted(d.s.Environments) {
		if p := d.s.Places[andon.Place{Service: r.Service, Environment: env}.Key()]; p != nil {
			d.emit(d.s.dropDeployments(p, "the service was removed")...)
		}
	}
	for _, c := range append([]*Cord(nil), d.s.Cords...) {
		if c.Scope.Kind == andon.ScopeService && c.Scope.Service == r.Service || c.Fix != nil && c.Fix.Service == r.Service {
			d.emit(andon.CordReleased{Cord: c.ID, Scope: c.Scope, Reason: "the service was removed"})
		}
	}
	d.emit(andon.ServiceRemoved{Service: r.Service, Reason: r.Reason})
	return nil
}

// dropDeployments ends the deployments of a place where nothing shall be left.
func (s *State) dropDeployments(p *Place, reason string) []andon.Body {
	var bodies []andon.Body
	if d := p.Active; d != nil {
		bodies = append(s.cancelSmokes(d, reason), s.deploymentEnd(p, d, andon.Aborted, reason))
	}
	for _, d := range p.Queued {
		bodies = append(bodies, s.deploymentEnd(p, d, andon.Cancelled, reason))
	}
	return bodies
}

// deploymentEnd ends a deployment where it is, without a change to what is live.
func (s *State) deploymentEnd(p *Place, d *Deployment, outcome andon.Outcome, reason string) andon.DeploymentEnded {
	return andon.DeploymentEnded{
		Deployment: d.Plan.ID, Place: p.Place, Version: d.Plan.Release.Version, Outcome: outcome, Reason: reason,
		Live: p.Live, Group: p.Group, Ledger: p.ledger(d.Plan.ID),
	}
}

// endVersion ends the way of an open version wherever it is.
func (s *State) endVersion(v *Version, outcome andon.Outcome, reason string, now time.Time) []andon.Body {
	if v.Run != nil {
		return s.finishStage(v, outcome, reason, now)
	}
	return []andon.Body{andon.VersionEnded{Version: v.Ref, Outcome: outcome, Reason: reason}}
}
