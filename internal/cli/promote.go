package cli

import "github.com/andon-cd/andon/api"

type promoteCmd struct {
	Service string `arg:"" help:"The service; or shop@42, without a version behind it."`
	Version string `arg:"" help:"A version's number, or the beginning of its commit."`
	Stage   string `arg:"" optional:"" help:"The stage to let it into."`
	Plan    bool   `help:"Only say what the stage would deploy."`
	Reason  string `short:"m" placeholder:"TEXT" help:"Why; it is kept in the audit."`
}

// Run admits a version past a manual gate.
func (cmd *promoteCmd) Run(c *call) error {
	s, ok := subjectOf(cmd.Service, cmd.Version, cmd.Stage)
	if !ok || s.deployment != "" || s.stage == "" {
		return usage("promote needs a service, a version and a stage", "Write `andon promote shop 42 production`.")
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	answer, err := client.Promote(c.ctx, s.service, s.version, api.Promote{Stage: s.stage, Reason: cmd.Reason, PlanOnly: cmd.Plan})
	if err != nil {
		return c.known(client, s.service, err)
	}
	if cmd.Plan {
		return c.planned(answer)
	}
	return c.done(answer, "%s %d may enter %s. Follow it with `andon wait %s@%d --for ended`.",
		answer.Service, answer.Version, s.stage, answer.Service, answer.Version)
}
