package cli

type demoCmd struct {
	Once bool   `help:"Do not keep serving; end with 0 only if everything was observed."`
	Dir  string `placeholder:"DIR" help:"Where to keep the plant and the repository; a temporary directory if left out."`
	Keep bool   `help:"Leave the directory there."`
}

func (cmd *demoCmd) Run(c *call) error { return nil }
