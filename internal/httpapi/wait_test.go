package httpapi

import (
	"context"
	"testing"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

// now asks what waiting would answer at once.
func (p *plant) waitNow(version, goal string) api.Waited {
	p.t.Helper()
	w, err := p.client.Wait(p.t.Context(), api.WaitQuestion{Service: "shop", Version: version, For: goal, Timeout: time.Nanosecond})
	p.must(err)
	return w
}

func TestWait_AnswersAtOnceWhatIsDecided(t *testing.T) {
	p := story(t)
	p.push("e", "idea", "Try something", shopYAML)
	p.settle()
	for _, c := range []struct {
		version, goal string
		want          api.WaitState
	}{
		{"2", "built", api.WaitReached},
		{"2", "release-candidate", api.WaitReached},
		{"2", "certified", api.WaitReached},
		{"2", "live:test", api.WaitUnreachable}, // 3 is live there: it failed only afterwards
		{"3", "live:test", api.WaitReached},
		{"2", "live:production", api.WaitReached},
		{"2", "ended", api.WaitReached},
		{"2", "stopped", api.WaitReached},
		{"bbbb", "live:production", api.WaitReached},
		{"1", "live:production", api.WaitUnreachable}, // 2 is live there
		{"1", "certified", api.WaitReached},
		{"3", "built", api.WaitReached},
		{"3", "release-candidate", api.WaitUnreachable}, // rejected
		{"3", "live:production", api.WaitUnreachable},
		{"3", "ended", api.WaitReached},
		{"4", "built", api.WaitTimeout},
		{"4", "certified", api.WaitTimeout},
		{"4", "live:production", api.WaitTimeout},
		{"4", "ended", api.WaitTimeout},
		{"5", "built", api.WaitTimeout},              // no slot is free
		{"", "live:production", api.WaitUnreachable}, // the newest is on a branch
		{"5", "release-candidate", api.WaitUnreachable},
	} {
		if w := p.waitNow(c.version, c.goal); w.State != c.want || w.Reason == "" {
			t.Errorf("shop %s for %s: %s (%s), want %s", c.version, c.goal, w.State, w.Reason, c.want)
		}
	}
	if w := p.waitNow("4", "built"); len(w.Waits) == 0 {
		t.Error("a wait that times out must say why")
	}
}

func TestWait_IsUnreachableOnceTheVersionIsRolledBackOrCancelled(t *testing.T) {
	p := story(t)
	p.do(line.Rollback{Place: andon.Place{Service: "shop", Environment: "production"}})
	if w := p.waitNow("1", "live:production"); w.State != api.WaitTimeout {
		t.Errorf("before the rollback has ended: %s (%s)", w.State, w.Reason)
	}
	if w := p.waitNow("2", "live:production"); w.State != api.WaitUnreachable {
		t.Errorf("what is rolled back: %s (%s)", w.State, w.Reason)
	}
	p.settle()
	if w := p.waitNow("1", "live:production"); w.State != api.WaitReached {
		t.Errorf("after the rollback: %s (%s)", w.State, w.Reason)
	}
	if w := p.waitNow("2", "certified"); w.State != api.WaitUnreachable {
		t.Errorf("a quarantined version: %s (%s)", w.State, w.Reason)
	}
	p.do(line.Cancel{Version: andon.VersionRef{Service: "shop", Number: 4}})
	if w := p.waitNow("4", "built"); w.State != api.WaitUnreachable {
		t.Errorf("a cancelled version: %s (%s)", w.State, w.Reason)
	}
}

// waiting starts a wait and returns once the server waits.
func (p *plant) waiting(version, goal string) <-chan api.Waited {
	p.t.Helper()
	answer := make(chan api.Waited, 1)
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*time.Minute)
	p.t.Cleanup(cancel)
	go func() {
		w, err := p.client.Wait(ctx, api.WaitQuestion{Service: "shop", Version: version, For: goal})
		if err != nil {
			p.t.Error(err)
		}
		answer <- w
	}()
	return answer
}

func TestWait_AnswersWhenItHappens(t *testing.T) {
	p := story(t)
	live, stopped, ended := p.waiting("4", "live:test"), p.waiting("4", "release-candidate"), p.waiting("4", "ended")
	p.holds = nil
	p.settle() // 4 passes acceptance, and waits for its manual gate
	if w := <-live; w.State != api.WaitReached {
		t.Errorf("live: %s (%s)", w.State, w.Reason)
	}
	if w := <-stopped; w.State != api.WaitReached {
		t.Errorf("release candidate: %s (%s)", w.State, w.Reason)
	}
	p.push("f", "main", "Sell something else", shopYAML)
	p.settle() // 5 comes as far, and takes the place of 4
	if w := <-ended; w.State != api.WaitReached {
		t.Errorf("ended: %s (%s)", w.State, w.Reason)
	}
	if w := p.waitNow("4", "certified"); w.State != api.WaitUnreachable {
		t.Errorf("a superseded version: %s (%s)", w.State, w.Reason)
	}
}

func TestWait_SeesTheLineStop(t *testing.T) {
	p := newPlant(t)
	p.connect()
	p.does = fails("a", "acceptance")
	p.push("a", "main", "Sell broken things", shopYAML)
	stopped, certified := p.waiting("", "stopped"), p.waiting("", "certified")
	p.settle()
	if w := <-stopped; w.State != api.WaitReached {
		t.Errorf("stopped: %s (%s)", w.State, w.Reason)
	}
	if w := <-certified; w.State != api.WaitUnreachable {
		t.Errorf("certified: %s (%s)", w.State, w.Reason)
	}
}

func TestWait_RefusesWhatCannotBeWaitedFor(t *testing.T) {
	p := story(t)
	for question, want := range map[api.WaitQuestion]api.Kind{
		{Service: "nothing", For: "built"}:                     api.KindNotFound,
		{Service: "shop", Version: "99", For: "built"}:         api.KindNotFound,
		{Service: "shop", Version: "ffff", For: "built"}:       api.KindNotFound,
		{Service: "shop", Version: "wrong", For: "built"}:      api.KindInvalid,
		{Service: "shop", For: "live:nowhere"}:                 api.KindNotFound,
		{Service: "shop", For: "live"}:                         api.KindInvalid,
		{Service: "shop", For: "built:test"}:                   api.KindInvalid,
		{Service: "shop", For: "development"}:                  api.KindInvalid,
		{Service: "shop", For: ""}:                             api.KindInvalid,
		{Service: "shop", Version: "1", For: "live:../../etc"}: api.KindInvalid,
	} {
		question.Timeout = time.Nanosecond
		if _, err := p.client.Wait(t.Context(), question); kindOf(err) != want {
			t.Errorf("%+v: %v", question, err)
		}
	}
}
