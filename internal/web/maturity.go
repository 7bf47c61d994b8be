package web

import (
	"net/http"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/metrics"
)

// A maturityPage says which practices the plant follows, each with its evidence.
type maturityPage struct {
	period
	Judgements       []metrics.Judgement
	Followed, Judged int
	Deliveries       int // deployments to production that it is judged from
}

func (p *pages) showMaturity(w http.ResponseWriter, r *http.Request) {
	asked, err := p.readPeriod(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	records, err := p.History.Records(r.Context(), asked.Period)
	if err == nil {
		err = p.Engine.View(r.Context(), func(s *line.State) { records.Declared, records.Environments = s.Declared() })
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	page := maturityPage{period: asked, Judgements: metrics.Judge(records), Deliveries: len(records.Deliveries)}
	for _, j := range page.Judgements {
		if j.Level != metrics.Unknown {
			page.Judged++
		}
		if j.Level == metrics.Followed {
			page.Followed++
		}
	}
	p.render(w, r, p.maturity, "frame", page)
}

// Unjudged returns of how many practices there are not enough records.
func (m maturityPage) Unjudged() int { return len(m.Judgements) - m.Judged }

// Counted returns the address of what a practice was judged from.
func (m maturityPage) Counted(name metrics.PracticeName) string {
	switch name {
	case "environments-as-code":
		return "/environments"
	case "fresh-trunk":
		return "/board"
	case "fast-candidate", "fast-commit-stage":
		return m.at("/flow")
	default:
		return m.at("/measures/deployments")
	}
}

// Deployment returns the address of a deployment.
func (m maturityPage) Deployment(id andon.DeploymentID) string {
	return deploymentPath(serviceOf(string(id)), id)
}

// Sign and Words tell a level by a shape and in words.
func (m maturityPage) Sign(level metrics.Level) string {
	return map[metrics.Level]string{metrics.Followed: "●", metrics.Partly: "◐", metrics.NotYet: "○"}[level]
}

// Words returns a level in words.
func (m maturityPage) Words(level metrics.Level) string {
	return map[metrics.Level]string{
		metrics.Followed: "followed", metrics.Partly: "partly followed", metrics.NotYet: "not followed", metrics.Unknown: "not enough records",
	}[level]
}
