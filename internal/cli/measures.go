package cli

import (
	"fmt"
	"io"

	"github.com/andon-cd/andon/api"
)

type measuresCmd struct {
	Service string `arg:"" optional:"" help:"Only this service; all of them if left out."`
	Days    int    `default:"30" placeholder:"N" help:"How many days, up to now. (default ${default})"`
}

// Run prints the figures of a period, each with what it counts.
func (cmd *measuresCmd) Run(c *call) error {
	if err := within("--days", cmd.Days, 366); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	m, err := client.Measures(c.ctx, cmd.Service, cmd.Days)
	if err != nil {
		return c.known(client, cmd.Service, err)
	}
	if c.json {
		c.sayJSON(c.out, m)
		return nil
	}
	writeMeasures(c.out, m)
	return nil
}

func writeMeasures(w io.Writer, m api.Measures) {
	took := func(ms int64, of int) string { return known(of, span(milliseconds(ms))) }
	rate := func(share float64, of int) string { return known(of, percent(share)) }
	var t table
	t.row("Change lead time", took(m.LeadMS, m.Changes), fmt.Sprintf("median of %s", count(m.Changes, "change", "changes")))
	t.row("Deployment frequency", known(m.Deployments, fmt.Sprintf("%.1f a day", m.PerDay)), count(m.Deployments, "deployment", "deployments"))
	t.row("Failed deployment recovery time", took(m.RecoveryMS, m.Recovered), fmt.Sprintf("median of %d", m.Recovered))
	t.row("Change fail rate", rate(m.FailRate, m.Rollouts), fmt.Sprintf("%d of %d", m.Failed, m.Rollouts))
	t.row("Deployment rework rate", rate(m.ReworkRate, m.Deployments), fmt.Sprintf("%d of %d", m.Rework, m.Deployments))
	t.row()
	t.row("Between deliveries", took(m.BetweenMS, max(0, m.Deployments-1)), "mean")
	t.row("Commit to release candidate", took(m.CandidateMS, m.Candidates), fmt.Sprintf("median of %d; %s within 30 minutes", m.Candidates, rate(m.InTime, m.Candidates)))
	t.row("Commit stage", took(m.CommitStageMS, m.CommitStages), fmt.Sprintf("median of %d; %s within budget", m.CommitStages, rate(m.WithinBudget, m.CommitStages)))
	t.row("The line stood still", span(milliseconds(m.StoodStillMS)), fmt.Sprintf("failed stages %s, rollbacks %s, people %s",
		span(milliseconds(m.StoodStillFor["stage"])), span(milliseconds(m.StoodStillFor["rollback"])), span(milliseconds(m.StoodStillFor["person"]))))
	t.write(w, "")
}

// known returns a figure, or a dash when it counts nothing.
func known(of int, text string) string {
	if of == 0 {
		return "-"
	}
	return text
}
