package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/andon-cd/andon/api"
)

type deployCmd struct {
	Service     string `arg:"" help:"The service; or shop@42, without a version behind it."`
	Version     string `arg:"" help:"A version's number, or the beginning of its commit."`
	Environment string `arg:"" optional:"" help:"Where."`
	Plan        bool   `help:"Only say what it would change."`
	Reason      string `short:"m" placeholder:"TEXT" help:"Why; it is kept in the audit."`
}

// Run asks for a version in an environment.
func (cmd *deployCmd) Run(c *call) error {
	s, ok := subjectOf(cmd.Service, cmd.Version, cmd.Environment)
	if !ok || s.deployment != "" || s.stage == "" {
		return usage("deploy needs a service, a version and an environment", "Write `andon deploy shop 42 production`.")
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	answer, err := client.Deploy(c.ctx, s.service, s.version, api.Deploy{Environment: s.stage, Reason: cmd.Reason, PlanOnly: cmd.Plan})
	if err != nil {
		return c.known(client, s.service, err)
	}
	if cmd.Plan && answer.Plan != nil {
		if c.json {
			c.sayJSON(c.out, answer.Plan)
		} else {
			writePlan(c.out, *answer.Plan)
		}
		return nil
	}
	return c.done(answer, "%s deploys %s %d to %s. Follow it with `andon wait %s@%d --for live:%s`.",
		answer.Deployment, answer.Service, answer.Version, s.stage, answer.Service, answer.Version, s.stage)
}

func writePlan(w io.Writer, p api.Plan) {
	from := "nothing is live there"
	if p.Previous > 0 {
		from = fmt.Sprintf("version %d is live there", p.Previous)
	}
	fmt.Fprintf(w, "%s %d to %s, %s; %s.\n", p.Service, p.Version, p.Environment, p.Strategy, from)
	fmt.Fprintln(w, "\nChanges:")
	var changes table
	changes.row("artifact", difference(p.Changes.Artifact))
	changes.row("configuration", difference(p.Changes.Configuration))
	for _, k := range p.Changes.Environment {
		changes.row("  $"+k.Key, k.Change)
	}
	changes.row("copies", fmt.Sprintf("%d → %d", p.Changes.Copies.From, p.Changes.Copies.To))
	for _, v := range p.Changes.Commits {
		changes.row(fmt.Sprintf("version %d", v.Version), fmt.Sprintf("%s  %s  %s", short(v.Commit), printable(v.Subject), printable(v.Author)))
	}
	changes.write(w, "  ")
	fmt.Fprintln(w, "\nSteps:")
	for i, s := range p.Steps {
		fmt.Fprintf(w, "  %d. %s\n", i+1, s.Does)
	}
	fmt.Fprintf(w, "\nOn %s", strings.Join(p.Agents, ", "))
	if len(p.Hosts) > 0 {
		fmt.Fprintf(w, ", for %s", strings.Join(p.Hosts, ", "))
	}
	fmt.Fprintln(w, ".")
}

func difference(d api.Difference) string {
	switch {
	case d.Same:
		return short(d.To) + " (the same)"
	case d.From == "":
		return short(d.To)
	default:
		return short(d.From) + " → " + short(d.To)
	}
}
