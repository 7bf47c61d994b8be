package httpapi

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/line"
)

// whyDeployment says what holds a deployment back; once it has ended, how it did, and what holds its
// place back now.
func (a *API) whyDeployment(ctx context.Context, id andon.DeploymentID) (out api.Why, err error) {
	if err := a.fresh(ctx); err != nil {
		return out, err
	}
	d, err := a.History.Deployment(ctx, id)
	if err != nil {
		return out, err
	}
	var problem error
	err = a.Engine.View(ctx, func(s *line.State) {
		if s.Services[d.Service] == nil || s.Environments[d.Environment] == nil { // removed since
			out = api.Why{Waits: []api.Wait{}, Cords: []api.Cord{}, Moves: true}
		} else {
			out, problem = a.whyIn(s, &whyQuestion{Service: string(d.Service), Environment: string(d.Environment)}, andon.VersionRef{})
		}
		if !d.Ended.IsZero() {
			out.Sentence = recorded(d) + "; " + standing(s, d.Place)
		}
	})
	out.About = string(id)
	if err == nil {
		err = problem
	}
	return out, err
}

// recorded says how a deployment ended, as its record has it.
func recorded(d history.Deployment) string {
	back := slices.ContainsFunc(d.Steps, func(s history.DeploymentStep) bool { return s.Step == andon.StepReverting })
	return endedAs(d.ID, d.Version, d.Outcome, back && d.Outcome != andon.NeedsAttention, d.Reason)
}

// lastEndings says how the last deployments of a service ended where they did not succeed; with an
// environment, how the last one there did.
func lastEndings(s *line.State, service andon.ServiceName, env andon.EnvironmentName) (text string) {
	for _, name := range s.EnvironmentsInOrder() {
		p := s.PlaceOf(andon.Place{Service: service, Environment: name})
		if p == nil || p.Last == nil || env != "" && name != env || env == "" && p.Last.Outcome == andon.Succeeded {
			continue
		}
		last := p.Last
		back := !last.Started.IsZero() && last.Outcome != andon.Succeeded && last.Outcome != andon.NeedsAttention
		text += "; " + endedAs(last.Plan.ID, last.Plan.Release.Version, last.Outcome, back, last.Reason) + "; " + standing(s, p.Place)
	}
	return text
}

func endedAs(id andon.DeploymentID, version andon.VersionNumber, outcome andon.Outcome, back bool, reason string) string {
	how, turned := string(outcome), " and was turned back"
	switch outcome {
	case andon.Cancelled, andon.Superseded, andon.Aborted:
		how, turned = "was "+how, " and turned back"
	case andon.NeedsAttention:
		how = "needs attention"
	}
	text := fmt.Sprintf("deployment %s of version %s %s", id, version, how)
	if back {
		text += turned
	}
	if reason != "" {
		text += ": " + strings.TrimSuffix(reason, ".")
	}
	return text
}

// standing says what is live in a place.
func standing(s *line.State, pl andon.Place) string {
	if p := s.PlaceOf(pl); p != nil && p.Live != nil {
		return fmt.Sprintf("version %s is live in %s now", p.Live.Version, pl.Environment)
	}
	return fmt.Sprintf("nothing of %s is live in %s now", pl.Service, pl.Environment)
}
