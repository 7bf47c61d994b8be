package httpapi

import (
	"context"
	"math"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/metrics"
)

// defaultDays is the period of figures when nobody asks for another one.
const defaultDays = 30

type periodQuestion struct {
	Service string `query:"service" doc:"only this one, also when it was removed"`
	Days    int    `query:"days" minimum:"0" maximum:"366" doc:"how many, up to now; 0: 30"`
}

// period returns what a question is about, once the history has everything up to now.
func (a *API) period(ctx context.Context, q *periodQuestion) (p history.Period, err error) {
	if err := a.fresh(ctx); err != nil {
		return p, err
	}
	if p.Service = andon.ServiceName(q.Service); p.Service != "" {
		if _, err := a.History.Service(ctx, p.Service); err != nil {
			return p, err
		}
	}
	days := q.Days
	if days == 0 {
		days = defaultDays
	}
	p.To = a.Engine.Now()
	p.From = p.To.Add(-time.Duration(days) * 24 * time.Hour)
	return p, nil
}

func (a *API) measures(ctx context.Context, q *periodQuestion) (api.Measures, error) {
	p, err := a.period(ctx, q)
	if err != nil {
		return api.Measures{}, err
	}
	facts, err := a.History.Facts(ctx, p)
	if err != nil {
		return api.Measures{}, err
	}
	m := metrics.MeasuresOf(facts)
	out := api.Measures{
		Service: q.Service, From: p.From.UTC(), To: p.To.UTC(),
		Deployments: m.Deployments, PerDay: fraction(m.PerDay), LeadMS: m.Lead.Milliseconds(), Changes: m.Changes,
		Rollouts: m.Rollouts, Failed: m.Failed, FailRate: fraction(m.FailRate), RecoveryMS: m.Recovery.Milliseconds(), Recovered: m.Recovered,
		Rework: m.Rework, ReworkRate: fraction(m.ReworkRate),
		BetweenMS: m.Between.Milliseconds(), CandidateMS: m.Candidate.Milliseconds(), Candidates: m.Candidates, InTime: fraction(m.InTime),
		CommitStageMS: m.CommitStage.Milliseconds(), CommitStages: m.CommitStages, WithinBudget: fraction(m.WithinBudget),
		StoodStillMS: m.StoodStill.Milliseconds(), StoodStillFor: map[string]int64{},
	}
	for _, cause := range metrics.StopCauses() {
		out.StoodStillFor[string(cause)] = m.StoodStillFor[cause].Milliseconds()
	}
	return out, nil
}

func (a *API) flow(ctx context.Context, q *periodQuestion) (api.Flow, error) {
	p, err := a.period(ctx, q)
	if err != nil {
		return api.Flow{}, err
	}
	f, all, err := a.History.Flow(ctx, p)
	if err != nil {
		return api.Flow{}, err
	}
	efficiency, _ := f.Efficiency()
	return api.Flow{
		Service: q.Service, From: p.From.UTC(), To: p.To.UTC(), Changes: f.Changes, All: all,
		LeadMS: f.Lead.Milliseconds(), WorkMS: f.Work.Milliseconds(), Efficiency: fraction(efficiency), Sentence: f.Sentence(),
		Steps: each(f.Steps, wireFlowStep),
	}, nil
}

func (a *API) changeFlow(ctx context.Context, q *VersionPath) (api.ChangeFlow, error) {
	ref, err := a.version(ctx, q.Service, q.Version)
	if err != nil {
		return api.ChangeFlow{}, err
	}
	if err := a.fresh(ctx); err != nil {
		return api.ChangeFlow{}, err
	}
	c, err := a.History.Change(ctx, ref)
	if err != nil {
		return api.ChangeFlow{}, err
	}
	if c == nil {
		return api.ChangeFlow{}, andon.Errorf(andon.KindNotFound, "the change of %s has not reached production", ref).
			WithHint("`andon why %s@%s` says what holds it back", ref.Service, ref.Number)
	}
	return api.ChangeFlow{
		Service: string(c.Service), Version: int64(c.Number), Delivered: c.Delivered.UTC(),
		LeadMS: c.Lead().Milliseconds(), WorkMS: c.Work().Milliseconds(), Legs: each(c.Legs, wireFlowLeg),
	}, nil
}

// fraction rounds a figure to what can be read of it.
func fraction(f float64) float64 { return math.Round(f*1e4) / 1e4 }

func wireFlowStep(s metrics.Step) api.FlowStep {
	return api.FlowStep{
		Stage: string(s.Stage), Work: wireFlowPart(s.Work), Waits: each(s.Waits, wireFlowPart), First: s.Pass.First, Passed: s.Pass.Passed,
	}
}

func wireFlowPart(p metrics.Part) api.FlowPart {
	return api.FlowPart{
		Cause: string(p.Cause), Changes: p.Changes, MedianMS: p.Median.Milliseconds(), TotalMS: p.Total.Milliseconds(), Share: fraction(p.Share),
	}
}

func wireFlowLeg(l metrics.Leg) api.FlowLeg {
	return api.FlowLeg{From: l.From.UTC(), To: l.To.UTC(), Version: int64(l.Version), Stage: string(l.Stage), Cause: string(l.Cause)}
}
