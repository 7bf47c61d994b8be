package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/andon-cd/andon/api"
)

type hostCmd struct {
	List   hostListCmd   `cmd:"" default:"1" help:"List the hosts."`
	Add    hostAddCmd    `cmd:"" help:"Print the one command by which a host joins the plant."`
	Remove hostRemoveCmd `cmd:"" help:"Take a host out of the plant."`
}

type hostListCmd struct{}

// Run lists the hosts.
func (cmd *hostListCmd) Run(c *call) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	hosts, err := client.Hosts(c.ctx)
	if err != nil {
		return err
	}
	if c.json {
		c.sayJSON(c.out, map[string][]api.Host{"hosts": hosts})
		return nil
	}
	now := time.Now()
	var t table
	t.row("host", "state", "", "copies", "version", "platforms", "labels")
	for _, h := range hosts {
		state := string(h.State)
		if h.State == api.HostInvited && h.Expires != nil && h.Expires.Before(now) {
			state = "did not come"
		}
		t.row(h.Name, state, since(h.Since, now), fmt.Sprint(h.Copies), first(printable(h.Build), "-"), first(strings.Join(h.Platforms, " "), "process"), labelWords(h.Labels))
		if h.Reason != "" {
			t.row("", printable(h.Reason))
		}
	}
	t.write(c.out, "")
	return nil
}

func labelWords(labels map[string]string) string {
	words := make([]string, 0, len(labels))
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		words = append(words, key+"="+labels[key])
	}
	return strings.Join(words, " ")
}

type hostRemoveCmd struct {
	Host   string `arg:"" help:"Its name."`
	Force  bool   `help:"Also while copies should run there."`
	Reason string `short:"m" placeholder:"TEXT" help:"Why; it is kept in the audit."`
}

// Run takes a host out of the plant.
func (cmd *hostRemoveCmd) Run(c *call) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	answer, err := client.RemoveHost(c.ctx, cmd.Host, cmd.Force, cmd.Reason)
	if err != nil {
		return err
	}
	return c.done(answer, "%s does not belong to the plant any more. What runs there goes on until `andon down` ends it there.", cmd.Host)
}
