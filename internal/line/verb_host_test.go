package line

import (
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

func TestHost_TokenLetsOneKeyInAndNoOther(t *testing.T) {
	p := newPlant(t)
	add := AddHost{Host: "web1", Labels: map[string]string{"role": "edge"}, TokenHash: "hash", Expires: p.now.Add(time.Hour)}
	p.must(add)
	p.refused(andon.KindRefused, JoinHost{Host: "web1", TokenHash: "other", Key: "k1"})
	p.refused(andon.KindRefused, JoinHost{Host: "web2", TokenHash: "hash", Key: "k1"})
	p.refused(andon.KindRefused, JoinHost{Host: "web2", TokenHash: "", Key: "k1"})
	p.must(JoinHost{Host: "web1", TokenHash: "hash", Key: "k1"})
	if events := p.must(JoinHost{Host: "web1", TokenHash: "hash", Key: "k1"}); len(events) > 0 {
		t.Errorf("the same host joins twice: %v", events)
	}
	p.refused(andon.KindRefused, JoinHost{Host: "web1", TokenHash: "hash", Key: "k2"})
	p.refused(andon.KindConflict, add)
	if key, known, removed := p.s.Admission("web1"); key != "k1" || !known || removed {
		t.Errorf("it is known by %q, %v, %v", key, known, removed)
	}
	p.must(ConnectAgent{Hello: andon.Hello{Agent: "web1", Slots: 1, Labels: map[string]string{"role": "worker", "zone": "a"}}})
	if labels := p.s.Agents["web1"].Labels; labels["role"] != "edge" || labels["zone"] != "a" {
		t.Errorf("its labels are %v: what the plant says comes first", labels)
	}
}

func TestHost_TokenEnds(t *testing.T) {
	p := newPlant(t)
	p.must(AddHost{Host: "web1", TokenHash: "hash", Expires: p.now.Add(time.Hour)})
	p.world.pass(time.Hour)
	p.refused(andon.KindRefused, JoinHost{Host: "web1", TokenHash: "hash", Key: "k1"})
	p.must(AddHost{Host: "web1", TokenHash: "new", Expires: p.now.Add(time.Hour)})
	p.must(JoinHost{Host: "web1", TokenHash: "new", Key: "k1"})
}

func TestHost_RemovalIsRefusedWhileCopiesShouldRunThere(t *testing.T) {
	p := fleet(t)
	p.Deployed("one")
	p.refused(andon.KindConflict, RemoveHost{Host: "web-1"})
	p.refused(andon.KindInvalid, RemoveHost{Host: "local", Force: true})
	p.refused(andon.KindNotFound, RemoveHost{Host: "web-9"})
	p.must(RemoveHost{Host: "web-1", Force: true, Reason: "it burnt down"})
	p.world.agents["web-1"].away = true
	p.refused(andon.KindRefused, ConnectAgent{Hello: andon.Hello{Agent: "web-1"}})
	p.refused(andon.KindNotFound, RemoveHost{Host: "web-1", Force: true})
	two := p.Deployed("two")
	for _, c := range p.place("production").Desired.Copies {
		if c.Agent == "web-1" || c.Version != two {
			t.Errorf("%s is on %s", c.ID, c.Agent)
		}
	}
	p.must(RemoveHost{Host: "edge"}) // has no copies
}

func TestConnect_RefusesAnAgentThatIsTooOld(t *testing.T) {
	p := newPlant(t)
	p.refused(andon.KindRefused, ConnectAgent{Hello: andon.Hello{Agent: "old", Protocol: -1}})
	p.must(ConnectAgent{Hello: andon.Hello{Agent: "before"}})
	p.must(ConnectAgent{Hello: andon.Hello{Agent: "ahead", Protocol: andon.Protocol + 1}})
}
