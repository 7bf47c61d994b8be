package line

import (
	"fmt"

	"github.com/andon-cd/andon/internal/andon"
)

func (c ConnectAgent) decide(d *decision) error {
	h := c.Hello
	if !andon.ValidName(string(h.Agent)) {
		return andon.Errorf(andon.KindInvalid, "%q cannot name an agent", h.Agent).WithHint(andon.NameRule)
	}
	if h.Slots < 0 {
		return andon.Errorf(andon.KindInvalid, "an agent cannot have %d slots", h.Slots)
	}
	if h.Proxy != "" && !validProxy(h.Proxy) {
		return andon.Errorf(andon.KindInvalid, "%q cannot be where the proxy of an agent answers", h.Proxy)
	}
	if d.s.removed(h.Agent) {
		return andon.Errorf(andon.KindRefused, "host %s was removed from the plant", h.Agent).
			WithHint("end what it still runs with `andon down` there; `andon host add %s` lets it in again", h.Agent)
	}
	if h.Protocol != 0 && h.Protocol < andon.OldestProtocol {
		return andon.Errorf(andon.KindRefused, "agent %s is too old for this server: it speaks protocol %d, the oldest that is understood is %d", h.Agent, h.Protocol, andon.OldestProtocol).
			WithHint("install the server's version of andon on the host")
	}
	epoch := int64(1)
	if a := d.s.Agents[h.Agent]; a != nil {
		epoch = a.Epoch + 1
	}
	d.emit(andon.AgentConnected{
		Agent: h.Agent, Epoch: epoch, Slots: h.Slots, Labels: h.Labels, Build: h.Build,
		Protocol: h.Protocol, Platforms: h.Platforms, Address: h.Address, Proxy: h.Proxy, MostTargets: max(0, h.MostTargets),
	})
	return nil
}

func (l LoseAgent) decide(d *decision) error {
	a := d.s.Agents[l.Agent]
	if a == nil {
		return andon.Errorf(andon.KindNotFound, "there is no agent %s", l.Agent)
	}
	if a.Lost || a.Epoch != l.Epoch {
		return nil
	}
	d.emit(andon.AgentLost{Agent: l.Agent, Reason: l.Reason})
	for _, id := range sorted(a.leases) {
		t := d.s.Tasks[id]
		d.emit(d.s.taskLost(t, lostResult(fmt.Sprintf("agent %s is away: %s", l.Agent, l.Reason), t.Leased, d.now)))
	}
	return nil
}
