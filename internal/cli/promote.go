package cli

import "github.com/andon-cd/andon/api"

type promoteCmd struct {
	Version []string `arg:"" name:"service version stage" help:"As in: shop 42 production, or shop@42 production."`
	Reason  string   `short:"m" placeholder:"TEXT" help:"Why; it is kept in the audit."`
}

// Run admits a version past a manual gate.
func (cmd *promoteCmd) Run(c *call) error {
	s, ok := subjectOf(cmd.Version)
	if !ok || s.deployment != "" || s.stage == "" {
		return usage("promote needs a service, a version and a stage", "Write `andon promote shop 42 production`.")
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	answer, err := client.Promote(c.ctx, s.service, s.version, api.Promote{Stage: s.stage, Reason: cmd.Reason})
	if err != nil {
		return c.known(client, s.service, err)
	}
	return c.done(answer, "%s %d may enter %s. Follow it with `andon wait %s@%d --for ended`.",
		answer.Service, answer.Version, s.stage, answer.Service, answer.Version)
}
