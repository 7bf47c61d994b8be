package line

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// An Estate is what declared the environments last.
type Estate struct {
	Commit  andon.CommitID     `json:"commit"`
	Applied time.Time          `json:"applied"`
	By      andon.Actor        `json:"by"`
	Origin  andon.EstateOrigin `json:"origin,omitempty"`
	// Pushed is the newest commit that was applied because it was pushed.
	Pushed andon.CommitID `json:"pushed,omitempty"`
}

// A FollowedEstate is the repository elsewhere that the estate is in.
type FollowedEstate struct {
	Source  andon.Source   `json:"source"`
	Since   time.Time      `json:"since"`
	By      andon.Actor    `json:"by"`
	Refused *RefusedEstate `json:"refused,omitempty"` // nil: its newest commit is applied, or not known yet
}

// A RefusedEstate is a commit of the estate that cannot be applied.
type RefusedEstate struct {
	Commit   andon.CommitID `json:"commit"`
	At       time.Time      `json:"at"`
	Problems []*andon.Error `json:"problems"`
}

func (s *State) applyEstate(b andon.EstateApplied, e andon.Event) {
	next := &Estate{Commit: b.Commit, Applied: e.Time, By: e.By, Origin: b.Origin}
	switch {
	case b.Origin == andon.EstatePushed:
		next.Pushed = b.Commit
	case s.Estate != nil:
		next.Pushed = s.Estate.Pushed
	}
	s.Estate = next
	if s.Followed != nil {
		s.Followed.Refused = nil
	}
}

func (s *State) applyEstateFollowed(b andon.EstateFollowed, e andon.Event) {
	s.Followed = nil
	if b.Source.URL != "" {
		s.Followed = &FollowedEstate{Source: b.Source, Since: e.Time, By: e.By}
	}
}

func (s *State) applyEstateRefused(b andon.EstateRefused, e andon.Event) {
	if s.Followed != nil {
		s.Followed.Refused = &RefusedEstate{Commit: b.Commit, At: e.Time, Problems: b.Problems}
	}
}

// needs returns the services that need an environment, each with why: something is there or on
// its way there, or the newest version of the trunk deploys there.
func (s *State) needs(name andon.EnvironmentName) []string {
	var needs []string
	for _, key := range sorted(s.Services) {
		svc := s.Services[key]
		switch p := s.PlaceOf(andon.Place{Service: key, Environment: name}); {
		case p != nil && p.inUse():
			needs = append(needs, fmt.Sprintf("%s runs there", key))
		default:
			if why := svc.names(name); why != "" {
				needs = append(needs, why)
			}
		}
	}
	for _, key := range sorted(s.Places) {
		if p := s.Places[key]; p.Place.Environment == name && p.Removing && p.inUse() {
			needs = append(needs, fmt.Sprintf("copies of %s, which was removed, still stop there", p.Place.Service))
		}
	}
	return needs
}

// inUse reports whether something is in a place, or about to be.
func (p *Place) inUse() bool {
	return p.Live != nil || p.Active != nil || len(p.Queued) > 0 || len(p.Desired.Copies) > 0 || len(p.Copies) > 0
}

// names returns how a service's andon.yaml names an environment: that of a version that is on its
// way, or that of the newest one of the trunk, whose next commit would be refused without it.
func (svc *Service) names(env andon.EnvironmentName) string {
	var newest *Version
	for _, number := range sorted(svc.Versions) {
		v := svc.Versions[number]
		if v.Pipeline == nil {
			continue
		}
		if _, _, deploys := v.Pipeline.StageFor(env); v.Ended == nil && deploys {
			return fmt.Sprintf("%s is on its way there", v.Ref)
		}
		if v.Trunk && (newest == nil || v.Order > newest.Order) {
			newest = v
		}
	}
	if newest == nil {
		return ""
	}
	if stage, _, deploys := newest.Pipeline.StageFor(env); deploys {
		return fmt.Sprintf("%s deploys there in its stage %s", svc.Name, stage.Name)
	}
	if _, named := newest.Pipeline.Environments[env]; named {
		return fmt.Sprintf("the andon.yaml of %s names it", svc.Name)
	}
	return ""
}

// mostNeeds is how many reasons an error names.
const mostNeeds = 5

// listed joins reasons to a part of a sentence.
func listed(reasons []string) string {
	if more := len(reasons) - mostNeeds; more > 0 {
		reasons = append(slices.Clone(reasons[:mostNeeds]), fmt.Sprintf("%d more services need it", more))
	}
	if last := len(reasons) - 1; last > 0 {
		return strings.Join(reasons[:last], ", ") + " and " + reasons[last]
	}
	return strings.Join(reasons, "")
}

// routesClash returns why two services could not be told apart by the host names of their routes;
// nil: they can, in all of these environments, whichever of them is deployed next.
func (s *State) routesClash(environments []andon.Environment, services []andon.ServiceName) *andon.Error {
	declared := map[string]andon.Place{}
	serving := s.servedHosts()
	for i := range environments {
		e := &environments[i]
		for _, service := range services {
			place := andon.Place{Service: service, Environment: e.Name}
			for _, host := range e.RouteHosts(service) {
				if has, taken := declared[host]; taken && has != place {
					return andon.Errorf(andon.KindConflict, "%s would be the route of %s and of %s", host, routed(has), routed(place)).
						WithHint("give one of them other host names in its environment of the estate")
				}
				if has, taken := serving[host]; taken && has != place {
					return andon.Errorf(andon.KindConflict, "%s would be the route of %s, and still is that of %s", host, routed(place), routed(has)).
						WithHint("take it from %s first; once that was deployed to %s again, give it to %s", has.Service, has.Environment, service)
				}
				declared[host] = place
			}
		}
	}
	return nil
}

// servedHosts returns the host names that proxies were told, or are to be told, to route to a
// place: until its next deployment, whatever the estate says meanwhile.
func (s *State) servedHosts() map[string]andon.Place {
	hosts := map[string]andon.Place{}
	for _, key := range sorted(s.Places) {
		p := s.Places[key]
		if p.Desired.Route != nil {
			for _, host := range p.Desired.Route.Hosts {
				hosts[host] = p.Place
			}
		}
		if p.Active != nil {
			for _, host := range p.Active.Plan.Hosts {
				hosts[host] = p.Place
			}
		}
		for _, queued := range p.Queued {
			for _, host := range queued.Plan.Hosts {
				hosts[host] = p.Place
			}
		}
	}
	return hosts
}

// routed names a place as people speak of it.
func routed(p andon.Place) string { return fmt.Sprintf("%s in %s", p.Service, p.Environment) }
