package cli

import (
	"fmt"
	"net/url"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
)

type hostAddCmd struct {
	Host    string            `arg:"" placeholder:"NAME|ssh://USER@HOST" help:"Its name in the plant; or where SSH reaches it, to install the agent there."`
	Name    string            `placeholder:"NAME" help:"With ssh://: its name in the plant. (default: the first part of the host's name)"`
	Label   map[string]string `placeholder:"KEY=VALUE" help:"What environments choose the host by. May be repeated."`
	At      string            `placeholder:"URL" help:"Where the host reaches the plant, as in https://plant.example:8600. (default: where this command reaches it)"`
	Address string            `placeholder:"IP" help:"Where other hosts reach the copies of this one. (default 127.0.0.1: they do not)"`
	Proxy   string            `placeholder:"ADDR" help:"Where the services of the host answer. (default 127.0.0.1:8601)"`
	Slots   *int              `placeholder:"N" help:"How many jobs run there at once. (default: 0: only those that must run beside its copies)"`
	Into    string            `placeholder:"DIR" help:"With ssh://: the directory on the host for the program and the agent's data. (default: /usr/local/bin and /var/lib/andon-agent, without root ~/.local)"`
}

// Run prints the command to run on the host, or runs it there.
func (cmd *hostAddCmd) Run(c *call) error {
	if _, err := jobSlots(cmd.Slots, 0); err != nil {
		return err
	}
	if strings.Contains(cmd.Host, "://") {
		return cmd.install(c)
	}
	if cmd.Name != "" || cmd.Into != "" {
		return usage("--name and --into are for a host that is installed by SSH", "Write andon host add ssh://USER@HOST, or leave them out.")
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	added, err := cmd.invite(c, client, cmd.Host)
	if err != nil {
		return err
	}
	if c.json {
		c.sayJSON(c.out, added)
		return nil
	}
	words := append([]string{"andon", "agent", "--join", added.Token}, cmd.options()...)
	fmt.Fprintln(c.out, shellLine(words))
	if live(c.out) {
		fmt.Fprintf(c.err, "Run that on %s within %s. The token is valid once.\n", added.Host, span(time.Until(added.Expires).Round(time.Minute)))
	}
	cmd.warn(c, added)
	return nil
}

// invite makes the token of the host.
func (cmd *hostAddCmd) invite(c *call, client *api.Client, name string) (api.AddedHost, error) {
	return client.AddHost(c.ctx, api.AddHost{Host: name, Labels: cmd.Label, Server: first(cmd.At, secure(client.Server))})
}

// options are what the agent is started with besides its directory.
func (cmd *hostAddCmd) options() (options []string) {
	if cmd.Address != "" {
		options = append(options, "--address", cmd.Address)
	}
	if cmd.Proxy != "" {
		options = append(options, "--proxy", cmd.Proxy)
	}
	if cmd.Slots != nil {
		options = append(options, "--slots", strconv.Itoa(*cmd.Slots))
	}
	return options
}

// warn says that a token leads to where only this machine gets.
func (cmd *hostAddCmd) warn(c *call, added api.AddedHost) {
	if u, err := url.Parse(added.Server); err == nil && loopback(u.Hostname()) {
		fmt.Fprintf(c.err, "The token leads to %s, which only this machine (%s) reaches: for another one, start the server with --listen, and give its address with --at.\n", added.Server, first(hostWord(), "here"))
	}
}

// joining bounds how long an agent that was started may take to be in the plant.
const joining = time.Minute

// install brings the agent to a host by SSH: the program first, and the token last, which is made
// when everything else is there.
func (cmd *hostAddCmd) install(c *call) error {
	at, err := parseDistant(cmd.Host)
	if err != nil {
		return err
	}
	name, _, _ := strings.Cut(strings.ToLower(at.host), ".")
	if name = first(cmd.Name, name); !andon.ValidName(name) {
		return usage(fmt.Sprintf("%q cannot be the name of a host", name), "Give it one with --name: "+andon.NameRule+".")
	}
	if cmd.Into != "" && (path.Clean(cmd.Into) != cmd.Into || !path.IsAbs(cmd.Into)) {
		return usage(fmt.Sprintf("%q is not a directory on the host", cmd.Into), "Write its whole path.")
	}
	for _, word := range append(cmd.options(), cmd.Into) {
		if strings.ContainsAny(word, "\r\n\x00") {
			return usage("a flag has the end of a line in it", "Write it without.")
		}
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	if err := cmd.free(c, client, name); err != nil {
		return err
	}
	fmt.Fprintf(c.err, "Installing andon on %s …\n", at)
	i, err := install(c.ctx, at, name, cmd.Into, cmd.options())
	if err != nil {
		return err
	}
	added, err := cmd.invite(c, client, name)
	if err != nil {
		return err
	}
	cmd.warn(c, added)
	if err := i.join(c.ctx, added.Token); err != nil {
		return err
	}
	if err := i.start(c.ctx); err != nil {
		return err
	}
	h, err := arrived(c, client, i)
	if err != nil {
		return err
	}
	if c.json {
		c.sayJSON(c.out, h)
		return nil
	}
	if unit := i.unit(); unit != "" {
		fmt.Fprintf(c.out, "%s is connected. systemd keeps its agent: %s.\n", name, unit)
		return nil
	}
	fmt.Fprintf(c.out, "%s is connected. Nothing starts its agent again when the host restarts: there, that is %s.\n", name, shellLine(i.command()))
	return nil
}

// free refuses a name that a host has, before anything is put on another one.
func (cmd *hostAddCmd) free(c *call, client *api.Client, name string) error {
	hosts, err := client.Hosts(c.ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(hosts, func(h api.Host) bool { return h.Name == name && h.State != api.HostInvited }) {
		return andon.Errorf(andon.KindConflict, "there is a host %s already", name).
			WithHint("Give this one another name with --name; or take the other out first: andon host remove %s", name)
	}
	return nil
}

// arrived waits until the plant has taken the agent that was started.
func arrived(c *call, client *api.Client, i *installation) (h api.Host, err error) {
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(joining); time.Now().Before(end); {
		hosts, err := client.Hosts(c.ctx)
		if err != nil {
			return h, err
		}
		for _, h := range hosts {
			if h.Name == i.name && h.State == api.HostConnected {
				return h, nil
			}
		}
		select {
		case <-again.C:
		case <-c.ctx.Done():
			return h, c.ctx.Err()
		}
	}
	return h, andon.Errorf(andon.KindTimeout, "%s has joined, but its agent did not connect within %s", i.name, andon.Brief(joining)).
		WithHint("See %s for what its agent says.", i.where())
}

// shellLine returns a command as it can be typed.
func shellLine(words []string) string {
	quotedWords := make([]string, len(words))
	for i, word := range words {
		quotedWords[i] = quoted(word)
	}
	return strings.Join(quotedWords, " ")
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
