package api

import (
	"context"
	"time"
)

// A MaturityReport says which practices of continuous delivery a plant follows, judged from its own
// records.
type MaturityReport struct {
	Service    string     `json:"service,omitempty" doc:"left out: of all services"`
	From       time.Time  `json:"from"`
	To         time.Time  `json:"to"`
	Followed   int        `json:"followed" doc:"practices"`
	Judged     int        `json:"judged" doc:"practices of which there are enough records"`
	Practices  []Practice `json:"practices" doc:"in the order of the way to production"`
	Deliveries int        `json:"deliveries" doc:"deployments to production that it is judged from: the newest of the period"`
}

// A Practice is a rule of continuous delivery, and how far it is followed.
type Practice struct {
	Name       string   `json:"name"`
	Title      string   `json:"title"`
	Level      string   `json:"level" enum:"followed,partly,not,unknown" doc:"unknown: there are not enough records"`
	Kept       int      `json:"kept" doc:"of what is counted"`
	Of         int      `json:"of"`
	Least      int      `json:"least" doc:"how many there must be for a judgement"`
	Goal       float64  `json:"goal" doc:"share of them from which on it is followed, 0 to 1; from half of it on it partly is"`
	Evidence   string   `json:"evidence" doc:"the figures in words"`
	Exceptions []string `json:"exceptions,omitempty" doc:"deployments that did not keep to it, the newest, some of them"`
	Next       string   `json:"next,omitempty" doc:"the next step; left out: it is followed, or there are not enough records"`
	Rule       string   `json:"rule" doc:"what is counted"`
	Source     string   `json:"source" doc:"of the practice"`
}

// Maturity returns the maturity report of the last days (0: 30); with a service, of that one.
func (c *Client) Maturity(ctx context.Context, service string, days int) (m MaturityReport, err error) {
	return m, c.get(ctx, path("maturity"), values{}.text("service", service).number("days", int64(days)).Values(), &m)
}
