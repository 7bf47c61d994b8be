package deploy

import (
	"slices"

	"github.com/andon-cd/andon/internal/andon"
)

// place returns a Desired with n more copies of the group, each on the plan's agent that has the
// fewest of them, the first named among equals: from nothing in turn, and where some are missing,
// where they were. An ID is free when no copy of that name is desired or attested, so a copy that
// has not stopped yet is never mistaken for a new one.
func (v *view) place(n int) *andon.Desired {
	d := v.Desired.Clone()
	has := map[andon.AgentName]int{}
	for _, c := range v.ours {
		has[c.Agent]++
	}
	for i := 0; n > 0; i++ {
		id := andon.NewInstanceID(v.group, i)
		if _, taken := d.Copy(id); taken || v.Copies[id] != nil {
			continue
		}
		agent := v.Plan.Agents[0]
		for _, other := range v.Plan.Agents[1:] {
			if has[other] < has[agent] {
				agent = other
			}
		}
		has[agent]++
		d.Copies = append(d.Copies, andon.Copy{
			ID: id, Group: v.group, Agent: agent,
			Version: v.release.Version, Artifact: v.release.Artifact,
			Config: v.release.Config, Spec: v.release.Spec,
		})
		n--
	}
	return &d
}

// remove returns a Desired without the given copies.
func (v *view) remove(gone []andon.Copy) *andon.Desired {
	d := v.Desired.Clone()
	d.Copies = slices.DeleteFunc(d.Copies, func(c andon.Copy) bool {
		return slices.ContainsFunc(gone, func(g andon.Copy) bool { return g.ID == c.ID })
	})
	return &d
}

// route returns a Desired whose requests go to exactly the given copies.
func (v *view) route(ids []andon.InstanceID) *andon.Desired {
	d := v.Desired.Clone()
	r := andon.Route{Hosts: v.Plan.Hosts, Edges: v.Plan.Edges, Ledger: v.Plan.ID}
	if v.release != nil {
		r.Requests = v.release.Spec.Requests
	}
	for _, id := range ids {
		r.Targets = append(r.Targets, andon.Target{Instance: id, Weight: 1})
	}
	d.Route = &r
	return &d
}

// sameRoute reports whether the present route has exactly these targets, each with the same share.
func (v *view) sameRoute(ids []andon.InstanceID) bool {
	now := v.targets()
	if len(now) != len(ids) {
		return false
	}
	for _, t := range now {
		if t.Weight != now[0].Weight || !slices.Contains(ids, t.Instance) {
			return false
		}
	}
	return true
}

func ids(copies []andon.Copy) []andon.InstanceID {
	out := make([]andon.InstanceID, 0, len(copies))
	for _, c := range copies {
		out = append(out, c.ID)
	}
	return out
}
