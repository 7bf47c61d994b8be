package cli

type proxyCmd struct {
	Dir string `required:"" placeholder:"DIR" help:"The proxy's own directory."`
}

// Run is the proxy process, which only an agent starts.
func (cmd *proxyCmd) Run(c *call) error { return proxyMain(c.ctx, cmd.Dir) }
