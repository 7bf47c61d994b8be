package cli

import (
	"strings"

	"github.com/andon-cd/andon/api"
)

type rollbackCmd struct {
	Service     string `arg:"" help:"The service."`
	Environment string `arg:"" help:"Where."`
	To          string `arg:"" optional:"" name:"version" help:"To which version; the previous good one if left out."`
	Plan        bool   `help:"Only say what it would change."`
	Reason      string `short:"m" placeholder:"TEXT" help:"Why; it is kept in the audit."`
}

// Run makes a version that was good in an environment live there again.
func (cmd *rollbackCmd) Run(c *call) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	to := strings.TrimPrefix(cmd.To, cmd.Service+"@")
	answer, err := client.Rollback(c.ctx, cmd.Service, cmd.Environment, api.Rollback{To: to, Reason: cmd.Reason, PlanOnly: cmd.Plan})
	if err != nil {
		return c.known(client, cmd.Service, err)
	}
	if cmd.Plan {
		return c.planned(answer)
	}
	if answer.Deployment == "" {
		return c.done(answer, "%s goes back to what was live before the deployment that went on.", cmd.Environment)
	}
	return c.done(answer, "%s rolls %s back to version %d. Follow it with `andon wait %s@%d --for live:%s`.",
		answer.Deployment, cmd.Environment, answer.Version, answer.Service, answer.Version, cmd.Environment)
}
