package cli

import (
	"fmt"
	"maps"
	"net/url"
	"os"
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
	t.row("host", "state", "", "copies", "platforms", "labels")
	for _, h := range hosts {
		state := string(h.State)
		if h.State == api.HostInvited && h.Expires != nil && h.Expires.Before(now) {
			state = "did not come"
		}
		t.row(h.Name, state, since(h.Since, now), fmt.Sprint(h.Copies), first(strings.Join(h.Platforms, " "), "process"), labelWords(h.Labels))
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

type hostAddCmd struct {
	Host  string            `arg:"" help:"Its name in the plant."`
	Label map[string]string `placeholder:"KEY=VALUE" help:"What environments choose the host by. May be repeated."`
	At    string            `placeholder:"URL" help:"Where the host reaches the plant, as in https://plant.example:8600. (default: where this command reaches it)"`
}

// Run prints the command to run on the host.
func (cmd *hostAddCmd) Run(c *call) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	at := first(cmd.At, secure(client.Server))
	added, err := client.AddHost(c.ctx, api.AddHost{Host: cmd.Host, Labels: cmd.Label, Server: at})
	if err != nil {
		return err
	}
	if c.json {
		c.sayJSON(c.out, added)
		return nil
	}
	fmt.Fprintf(c.out, "andon agent --join %s\n", added.Token)
	if live(c.out) {
		fmt.Fprintf(c.err, "Run that on %s within %s. The token is valid once.\n", added.Host, span(time.Until(added.Expires).Round(time.Minute)))
	}
	if u, err := url.Parse(added.Server); err == nil && loopback(u.Hostname()) {
		fmt.Fprintf(c.err, "The token leads to %s, which only this machine (%s) reaches: for another one, start the server with --listen, and give its address with --at.\n", added.Server, first(hostWord(), "here"))
	}
	return nil
}

// secure returns the address of a plant for those who come by TLS: the same port takes both.
func secure(server string) string {
	return "https://" + strings.TrimPrefix(strings.TrimPrefix(strings.TrimRight(server, "/"), "http://"), "https://")
}

func loopback(host string) bool {
	return host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.")
}

func hostWord() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
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
