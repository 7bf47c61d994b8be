package cli

type serviceRemoveCmd struct {
	Service string `arg:"" help:"The service."`
	Reason  string `short:"m" placeholder:"TEXT" help:"Why; it is kept in the audit."`
}

// Run takes a service out of the plant.
func (cmd *serviceRemoveCmd) Run(c *call) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	answer, err := client.RemoveService(c.ctx, cmd.Service, cmd.Reason)
	if err != nil {
		return c.known(client, cmd.Service, err)
	}
	return c.done(answer, "%s is removed: what waited is cancelled, and its copies stop.", cmd.Service)
}
