package cli

import (
	"fmt"

	"github.com/andon-cd/andon/api"
)

type serviceListCmd struct {
	Removed bool `help:"Also those that were removed."`
}

// Run lists the services.
func (cmd *serviceListCmd) Run(c *call) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	services, err := client.Services(c.ctx, cmd.Removed)
	if err != nil {
		return err
	}
	if c.json {
		c.sayJSON(c.out, struct {
			Services []api.Service `json:"services"`
		}{services})
		return nil
	}
	var t table
	for _, s := range services {
		newest := "no version yet"
		if s.Newest > 0 {
			newest = fmt.Sprintf("version %d", s.Newest)
		}
		if s.Removed != nil {
			newest = "removed"
		}
		t.row(s.Name, newest, "trunk "+s.Trunk, first(s.Repository, s.Git))
	}
	if len(services) == 0 {
		t.row("No service yet. In a repository: `andon init`, commit, and push it here.")
	}
	t.write(c.out, "")
	return nil
}
