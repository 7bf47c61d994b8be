package agent

import "github.com/andon-cd/andon/internal/andon"

// refuse attests of those copies that this host could not take on, since what should run could not
// be written down, that they failed, and why: a deployment that waits for them would learn nothing
// else. It returns them. Those that it returned before and that are not wanted any more, it attests
// as stopped: they never ran.
func (a *Agent) refuse(desired []andon.Desired, why error) map[andon.InstanceID]bool {
	refused, wanted := make(map[andon.InstanceID]bool), make(map[andon.InstanceID]bool)
	for _, d := range desired {
		kept, known := a.store.place(d.Place)
		for _, c := range d.Copies {
			wanted[c.ID] = true
			if c.Agent != a.config.Name || known && kept.Generation >= d.Generation || a.fleet.keeper(c.ID) != nil {
				continue
			}
			refused[c.ID] = true
			a.board.setCopy(andon.InstanceState{ID: c.ID, Phase: andon.PhaseFailed, Artifact: c.Artifact, Config: c.Config, Reason: sentence(why)})
		}
	}
	for id := range a.refused {
		if !wanted[id] {
			a.board.setCopy(andon.InstanceState{ID: id, Phase: andon.PhaseStopped})
		}
	}
	return refused
}
