package cli

type serviceCmd struct {
	Add    serviceAddCmd    `cmd:"" help:"Make a service known, and watch its repository."`
	List   serviceListCmd   `cmd:"" help:"List the services."`
	Remove serviceRemoveCmd `cmd:"" help:"Take a service out: its copies stop, its history stays."`
}
