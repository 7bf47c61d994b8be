package api

import (
	"context"
	"time"
)

// Measures are the figures of a period. A figure whose count is 0 is not known.
type Measures struct {
	Service string    `json:"service,omitempty" doc:"left out: of all services"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`

	Deployments int     `json:"deployments" doc:"to production, that became live"`
	PerDay      float64 `json:"deployment_frequency" doc:"DORA: deployments a day"`
	LeadMS      int64   `json:"change_lead_time_ms" doc:"DORA: from commit to production, median"`
	Changes     int     `json:"changes" doc:"that reached production"`
	Rollouts    int     `json:"rollouts" doc:"deployments to production, those that failed too"`
	Failed      int     `json:"failed" doc:"of the rollouts: did not succeed, or were rolled back from"`
	FailRate    float64 `json:"change_fail_rate" doc:"DORA: failed of the rollouts, 0 to 1"`
	RecoveryMS  int64   `json:"failed_deployment_recovery_time_ms" doc:"DORA: median of those that are recovered from"`
	Recovered   int     `json:"recovered"`
	Rework      int     `json:"rework" doc:"deployments that repaired one that failed"`
	ReworkRate  float64 `json:"deployment_rework_rate" doc:"DORA: rework of the deployments, 0 to 1"`

	BetweenMS     int64            `json:"between_deliveries_ms" doc:"mean time; known from the second deployment on"`
	CandidateMS   int64            `json:"to_release_candidate_ms" doc:"from commit to release candidate, median"`
	Candidates    int              `json:"release_candidates"`
	InTime        float64          `json:"release_candidates_in_time" doc:"share of them within 30 minutes, 0 to 1"`
	CommitStageMS int64            `json:"commit_stage_ms" doc:"median"`
	CommitStages  int              `json:"commit_stages"`
	WithinBudget  float64          `json:"commit_stages_within_budget" doc:"share of them, 0 to 1"`
	StoodStillMS  int64            `json:"stood_still_ms" doc:"how long lines stood, added up"`
	StoodStillFor map[string]int64 `json:"stood_still_for_ms" doc:"by what stopped them: stage, rollback, person"`
}

// Flow is the value stream of the changes that reached production in a period.
type Flow struct {
	Service    string     `json:"service,omitempty" doc:"left out: of all services"`
	From       time.Time  `json:"from"`
	To         time.Time  `json:"to"`
	Changes    int        `json:"changes" doc:"that are added up: the newest"`
	All        int        `json:"all" doc:"that reached production in the period"`
	LeadMS     int64      `json:"lead_ms" doc:"from commit to production, median"`
	WorkMS     int64      `json:"work_ms" doc:"of it somebody worked on the change, median"`
	Efficiency float64    `json:"flow_efficiency" doc:"work of the lead times, 0 to 1"`
	Sentence   string     `json:"sentence,omitempty" doc:"names the bottleneck"`
	Steps      []FlowStep `json:"steps" doc:"in the order in which changes come through them"`
}

// A FlowStep is a stage with the waits before and in it; without a stage, the time in which no
// version carried the change.
type FlowStep struct {
	Stage  string     `json:"stage,omitempty"`
	Work   FlowPart   `json:"work"`
	Waits  []FlowPart `json:"waits" doc:"the longest first"`
	First  int        `json:"first_runs" doc:"of the stage that ended"`
	Passed int        `json:"passed" doc:"of those: complete and accurate"`
}

// A FlowPart is work, or the wait for one thing, in one step.
type FlowPart struct {
	Cause    string  `json:"cause,omitempty" enum:",push,agent,approval,stopped,lock,fix" doc:"left out: it is work"`
	Changes  int     `json:"changes" doc:"that had any of it"`
	MedianMS int64   `json:"median_ms" doc:"of all changes"`
	TotalMS  int64   `json:"total_ms"`
	Share    float64 `json:"share" doc:"of all lead times, 0 to 1"`
}

// ChangeFlow is how the lead time of one change divides.
type ChangeFlow struct {
	Service   string    `json:"service"`
	Version   int64     `json:"version"`
	Delivered time.Time `json:"delivered"`
	LeadMS    int64     `json:"lead_ms"`
	WorkMS    int64     `json:"work_ms"`
	Legs      []FlowLeg `json:"legs" doc:"one after the other, without a gap"`
}

// A FlowLeg is a part of a change's way in which it was worked on, or waited for one thing.
type FlowLeg struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Version int64     `json:"version,omitempty" doc:"that carried the change; left out: none did"`
	Stage   string    `json:"stage,omitempty"`
	Cause   string    `json:"cause,omitempty" enum:",push,agent,approval,stopped,lock,fix" doc:"left out: it is work"`
}

// Measures returns the figures of the last days (0: 30); with a service, of that one.
func (c *Client) Measures(ctx context.Context, service string, days int) (m Measures, err error) {
	return m, c.get(ctx, path("measures"), values{}.text("service", service).number("days", int64(days)).Values(), &m)
}

// Flow returns the value stream of the last days (0: 30); with a service, of that one.
func (c *Client) Flow(ctx context.Context, service string, days int) (f Flow, err error) {
	return f, c.get(ctx, path("flow"), values{}.text("service", service).number("days", int64(days)).Values(), &f)
}

// ChangeFlow returns the value stream of one version's change; version is a number, the beginning
// of a commit, or empty for the newest one.
func (c *Client) ChangeFlow(ctx context.Context, service, version string) (f ChangeFlow, err error) {
	return f, c.get(ctx, path("services", service, "versions", newest(version), "flow"), nil, &f)
}
