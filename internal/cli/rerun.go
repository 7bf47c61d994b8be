package cli

import "github.com/andon-cd/andon/api"

type rerunCmd struct {
	What    string `arg:"" name:"service" help:"The service; or shop@42, without a version behind it; or a deployment: shop.production.7."`
	Version string `arg:"" optional:"" help:"A version's number, or the beginning of its commit."`
	Stage   string `arg:"" optional:"" help:"The stage to go back to; where it stopped if left out."`
}

// Run runs a version's stage or a deployment again.
func (cmd *rerunCmd) Run(c *call) error {
	s, ok := subjectOf(cmd.What, cmd.Version, cmd.Stage)
	if !ok {
		return usage("rerun needs a version or a deployment", "Write `andon rerun shop 42` or `andon rerun shop.production.7`.")
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	if s.deployment != "" {
		answer, err := client.RerunDeployment(c.ctx, s.deployment)
		if err != nil {
			return err
		}
		return c.done(answer, "%s tries it again.", first(answer.Deployment, s.deployment))
	}
	answer, err := client.RerunVersion(c.ctx, s.service, s.version, api.Rerun{Stage: s.stage})
	if err != nil {
		return c.known(client, s.service, err)
	}
	return c.done(answer, "%s %d runs again. Follow it with `andon wait %s@%d --for ended`.",
		answer.Service, answer.Version, answer.Service, answer.Version)
}
