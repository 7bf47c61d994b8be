package cli

import "github.com/andon-cd/andon/api"

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
	if cmd.Plan {
		return c.planned(answer)
	}
	return c.done(answer, "%s deploys %s %d to %s. Follow it with `andon wait %s@%d --for live:%s`.",
		answer.Deployment, answer.Service, answer.Version, s.stage, answer.Service, answer.Version, s.stage)
}
