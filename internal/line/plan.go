package line

import (
	"github.com/andon-cd/andon/internal/andon"
)

// plan returns the deployment of a version to an environment as data, or why there can be none.
// What is live before it, and where its copies go, is decided when it starts.
func (s *State) plan(v *Version, env andon.EnvironmentName, kind andon.DeploymentKind, by andon.Actor, reason string) (andon.Plan, *andon.Error) {
	e := s.Environments[env]
	if e == nil {
		return andon.Plan{}, andon.Errorf(andon.KindNotFound, "there is no environment %s", env)
	}
	if v.Pipeline == nil {
		return andon.Plan{}, andon.Errorf(andon.KindInvalid, "%s has no pipeline", v.Ref)
	}
	spec, ok := v.Pipeline.RunSpecFor(env)
	if !ok {
		return andon.Plan{}, andon.Errorf(andon.KindInvalid, "%s declares nothing to run", v.Ref).WithHint("add `run` to andon.yaml")
	}
	spec.Limits = e.Limits
	if e.Platform != andon.PlatformProcess {
		spec.Platform = e.Platform
	}
	if most := e.MostInstances; most > 0 && spec.Instances > most {
		return andon.Plan{}, andon.Errorf(andon.KindRefused, "%s wants %d copies in %s, and the estate allows %d", v.Ref, spec.Instances, env, most).
			WithHint("write fewer instances into andon.yaml, or raise limits.instances in environments/%s.yaml", env)
	}
	if v.Artifact == nil {
		return andon.Plan{}, andon.Errorf(andon.KindInvalid, "%s has no artifact to deploy", v.Ref).WithHint("add `commit: artifact` to andon.yaml")
	}
	release := andon.Release{
		Version: v.Ref.Number, Commit: v.Commit, Artifact: v.Artifact.Digest, Config: spec.Hash(), Spec: spec, Smoke: v.Pipeline.Smoke,
	}
	plan := s.planRelease(andon.Place{Service: v.Ref.Service, Environment: env}, e, release, kind, by, reason)
	return plan, s.crowded(&plan, e)
}

func (s *State) planRelease(pl andon.Place, e *andon.Environment, release andon.Release, kind andon.DeploymentKind, by andon.Actor, reason string) andon.Plan {
	n := int64(1)
	if p := s.Places[pl.Key()]; p != nil {
		n = p.Deployments + 1
	} else if r := s.Removed[pl.Service]; r != nil {
		n = r.Deployments[pl.Environment] + 1
	}
	id := andon.NewDeploymentID(pl, n)
	plan := andon.Plan{
		Place: pl, Rollout: e.Rollout, ID: id, Kind: kind, Group: andon.GroupID(id), Release: release,
		By: by, Reason: reason,
	}
	if kind == andon.DeployRollback { // as fast as it is safe: all at once, and no canary
		plan.Rollout = andon.Rollout{Strategy: andon.BlueGreen}
		if e.Strategy == andon.Replace { // on hosts that are never changed, also not back
			plan.Strategy = andon.Replace
		}
	}
	if release.Spec.Port > 0 {
		plan.Hosts = e.RouteHosts(pl.Service)
	}
	return plan
}

// complete returns the plan of a deployment that starts now. Copies that run the very release
// already, because they have not been taken away yet, are used again.
func (s *State) complete(plan andon.Plan) andon.Plan {
	if e := s.Environments[plan.Environment]; e != nil {
		plan.Agents = s.hosts(e, plan.Release.Spec.Platform)
		if len(plan.Hosts) > 0 {
			plan.Edges = s.edges(e, plan.Agents)
		}
	}
	p := s.Places[plan.Place.Key()]
	if p == nil {
		return plan
	}
	plan.Previous, plan.Base = p.Live, p.Group
	if g := s.reusable(p, &plan); g != "" {
		plan.Group = g
	}
	return plan
}
