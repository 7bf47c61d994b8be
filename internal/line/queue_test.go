package line

import (
	"slices"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// told is a cause in few words.
type told struct {
	kind   andon.WaitKind
	on     string
	goesOn bool
	held   []string
}

func causesOf(p *plant) (all []told, moving int) {
	causes, moving := p.s.Causes(p.now)
	for _, c := range causes {
		one := told{kind: c.Kind, on: c.On, goesOn: c.GoesOn}
		for _, r := range c.Held {
			one.held = append(one.held, thingOf(r.Wait))
		}
		all = append(all, one)
	}
	return all, moving
}

func sameCause(a, b told) bool {
	return a.kind == b.kind && a.on == b.on && a.goesOn == b.goesOn && slices.Equal(a.held, b.held)
}

func TestCauses_GroupWhatStandsByWhatItWaitsForInTheEnd(t *testing.T) {
	p := newPlant(t)
	p.pipe = withGate(p.pipe, "certify")
	for _, name := range []andon.ServiceName{"cart", "shop"} {
		p.service = name
		p.Push("one")
		p.Settle()
		p.now = p.now.Add(time.Minute)
	}
	causes, moving := causesOf(p)
	want := told{kind: andon.WaitApproval, on: "certify", held: []string{"cart 1", "shop 1"}}
	if len(causes) != 1 || moving != 0 || !sameCause(causes[0], want) {
		t.Fatalf("%+v, %d moving; want %+v", causes, moving, want)
	}
	p.must(PullCord{Scope: andon.Scope{Kind: andon.ScopeService, Service: "shop"}, Reason: "lunch"})
	p.now = p.now.Add(time.Minute)
	p.must(Promote{Version: andon.VersionRef{Service: "shop", Number: 1}, Stage: "certify"})
	causes, _ = causesOf(p)
	if len(causes) != 2 || !sameCause(causes[0], told{kind: andon.WaitApproval, on: "certify", held: []string{"cart 1"}}) ||
		!sameCause(causes[1], told{kind: andon.WaitCord, on: "cord-1", held: []string{"shop 1"}}) {
		t.Fatalf("%+v", causes)
	}
	full, _ := p.s.Causes(p.now)
	if who := full[1].Who; who != "git:alice, who pulled cord-1, or anybody else with a reason." {
		t.Errorf("who: %q", who)
	}
}

func TestCauses_LeaveOutWhatGoesOnAndSayWhatIsBehindIt(t *testing.T) {
	p := newPlant(t)
	p.Push("one")
	causes, moving := causesOf(p)
	if len(causes) != 0 || moving != 1 {
		t.Fatalf("one version, whose jobs run: %+v, %d moving", causes, moving)
	}
	p.Push("two")
	p.Push("three") // two slots are taken
	causes, moving = causesOf(p)
	if len(causes) != 1 || moving != 2 || !sameCause(causes[0], told{kind: andon.WaitAgent, held: []string{"shop 3"}}) {
		t.Fatalf("three versions, two slots: %+v, %d moving", causes, moving)
	}
}

func TestCauses_SayWhatGoesOnBeforeItsTurn(t *testing.T) {
	p := newPlant(t)
	p.Built("one")
	p.At("test", andon.StepPlacing)
	p.Push("two")
	p.Until("the second version is built", func() bool { return p.version(2).Artifact != nil })
	full, _ := p.s.Causes(p.now)
	if len(full) != 1 || !full[0].GoesOn || full[0].Deployment == nil || full[0].Deployment.ID != "shop.test.1" || full[0].Started.IsZero() {
		t.Fatalf("%+v", full)
	}
	if held := full[0].Held; len(held) != 1 || held[0].Version != 2 || held[0].Kind != andon.WaitLock {
		t.Errorf("held: %+v", held)
	}
}
