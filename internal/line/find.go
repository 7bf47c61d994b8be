package line

import (
	"github.com/andon-cd/andon/internal/andon"
)

func (s *State) findService(name andon.ServiceName) (*Service, error) {
	if svc := s.Services[name]; svc != nil {
		return svc, nil
	}
	return nil, andon.Errorf(andon.KindNotFound, "there is no service %s", name).WithHint("`andon status` lists the services")
}

func (s *State) findEnvironment(name andon.EnvironmentName) (*andon.Environment, error) {
	if e := s.Environments[name]; e != nil {
		return e, nil
	}
	return nil, andon.Errorf(andon.KindNotFound, "there is no environment %s", name).WithHint("`andon status` lists the environments")
}

func (s *State) findVersion(ref andon.VersionRef) (*Version, error) {
	svc, err := s.findService(ref.Service)
	if err != nil {
		return nil, err
	}
	if v := svc.Versions[ref.Number]; v != nil {
		return v, nil
	}
	if ref.Number > 0 && ref.Number <= svc.Newest {
		return nil, andon.Errorf(andon.KindNotFound, "%s is too old: the line does not keep it any more", ref).
			WithHint("push a new commit with its content")
	}
	return nil, andon.Errorf(andon.KindNotFound, "there is no version %s", ref).
		WithHint("the newest is %s %s", ref.Service, svc.Newest)
}

// Version returns a version that the line keeps; nil when it does not.
func (s *State) Version(ref andon.VersionRef) *Version { return s.version(ref) }

// PlaceOf returns what is known of a service in an environment; nil when nothing ever was there.
func (s *State) PlaceOf(pl andon.Place) *Place { return s.Places[pl.Key()] }

// FindDeployment returns a deployment that is queued or changes its place; nil when it has
// ended, or never was.
func (s *State) FindDeployment(id andon.DeploymentID) *Deployment {
	p := s.deploymentPlace(id)
	if p == nil {
		return nil
	}
	if p.Active != nil && p.Active.Plan.ID == id {
		return p.Active
	}
	for _, d := range p.Queued {
		if d.Plan.ID == id {
			return d
		}
	}
	return nil
}
