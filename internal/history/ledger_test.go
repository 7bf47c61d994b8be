package history_test

import (
	"testing"

	"github.com/andon-cd/andon/internal/andon"
)

func TestDeployment_KeepsWhatTheProxiesCountedAfterItsEnd(t *testing.T) {
	s := &story{}
	s.begin()
	first := s.deploy(1, 1, 0, andon.Succeeded)
	observe := func(agent andon.AgentName, ledgers ...andon.Ledger) {
		s.tell("agent:"+andon.Actor(agent), andon.Observed{Observation: andon.Observation{
			Agent: agent, Epoch: 1, Routes: []andon.RouteState{{Place: place, Generation: 2, Ledgers: ledgers}},
		}})
	}
	second := andon.NewDeploymentID(place, 2)
	observe("local", andon.Ledger{Deployment: first, Served: 500, Failed: 1}, andon.Ledger{Deployment: second, Served: 3})
	observe("web-2", andon.Ledger{Deployment: first, Served: 400, Retried: 2})
	observe("local", andon.Ledger{Deployment: first, Served: 600, Failed: 1}, andon.Ledger{Deployment: second, Served: 9})
	observe("local", andon.Ledger{Deployment: second, Served: 90}) // the proxy has forgotten the first
	h := told(t, s)
	found, err := h.Deployment(t.Context(), first)
	if err != nil || found.Ledger == nil {
		t.Fatalf("the ledger of %s: %v, %v", first, found.Ledger, err)
	}
	if want := (andon.Ledger{Deployment: first, Served: 1000, Failed: 1, Retried: 2}); *found.Ledger != want {
		t.Errorf("want %+v, got %+v", want, *found.Ledger)
	}
}
