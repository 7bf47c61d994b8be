package cli

import "github.com/andon-cd/andon/api"

type cancelCmd struct {
	What    string `arg:"" name:"service" help:"The service; or shop@42, without a version behind it; or a deployment: shop.production.7."`
	Version string `arg:"" optional:"" help:"A version's number, or the beginning of its commit."`
	Stage   string `arg:"" optional:"" help:"Only if it is at this stage."`
	Reason  string `short:"m" placeholder:"TEXT" help:"Why; it is kept in the audit."`
}

// Run ends a version's way or a deployment.
func (cmd *cancelCmd) Run(c *call) error {
	s, ok := subjectOf(cmd.What, cmd.Version, cmd.Stage)
	if !ok {
		return usage("cancel needs a version or a deployment", "Write `andon cancel shop 42` or `andon cancel shop.production.7`.")
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	if s.deployment != "" {
		answer, err := client.CancelDeployment(c.ctx, s.deployment, api.Cancel{Reason: cmd.Reason})
		if err != nil {
			return err
		}
		return c.done(answer, "%s ends; what was live before comes back.", s.deployment)
	}
	answer, err := client.CancelVersion(c.ctx, s.service, s.version, api.Cancel{Stage: s.stage, Reason: cmd.Reason})
	if err != nil {
		return c.known(client, s.service, err)
	}
	return c.done(answer, "%s %d is cancelled.", answer.Service, answer.Version)
}
