package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/andon-cd/andon/internal/agent"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/ca"
	"github.com/andon-cd/andon/internal/server"
)

// A membership is how an agent belongs to a plant: by an identity that it has or joins for, or by a
// token that it comes with each time.
type membership struct {
	name     andon.AgentName
	dir      string // the agent's data directory
	server   string
	token    *ca.Token    // to join with; nil: it joined before, or has a secret
	identity *ca.Identity // nil: it has a secret, or joins
	secret   string
	check    func(context.Context) error // asks whether the plant takes it; nil: it has been asked
}

// membership finds out which plant the agent belongs to.
func (cmd *agentRunCmd) membership(c *call) (m membership, err error) {
	url := first(c.connection.Server, c.getenv("ANDON_SERVER"))
	secret := first(c.connection.Token, c.getenv("ANDON_TOKEN"))
	switch {
	case cmd.Join != "":
		return cmd.joining(c)
	case url != "" && secret != "":
		return cmd.withSecret(c, strings.TrimRight(url, "/"), secret)
	}
	if m.dir, err = c.agentDir(first(cmd.Name, hostName(), "agent")); err != nil {
		return m, err
	}
	if m.identity, err = ca.LoadIdentity(server.Directory(m.dir).Identity()); err != nil {
		return m, err
	}
	if m.identity == nil {
		return m, usage("this agent has not joined a plant",
			"On the server's machine, `andon host add NAME` prints the command to run here. One that joined is found by its --name or --data.")
	}
	m.name, m.server = m.identity.Agent, m.identity.Server
	return m, nil
}

// joining reads the token that the host joins with: it has the name and the plant.
func (cmd *agentRunCmd) joining(c *call) (m membership, err error) {
	token, err := ca.ParseToken(cmd.Join)
	if err != nil {
		return m, err
	}
	if cmd.Name != "" && cmd.Name != string(token.Agent) {
		return m, usage(fmt.Sprintf("the token is that of host %s, not of %s", token.Agent, cmd.Name), "Leave --name out.")
	}
	m.name, m.server, m.token = token.Agent, token.Server, &token
	m.dir, err = c.agentDir(string(token.Agent))
	return m, err
}

func (cmd *agentRunCmd) withSecret(c *call, url, secret string) (m membership, err error) {
	name := first(cmd.Name, hostName())
	if !andon.ValidName(name) {
		return m, usage(fmt.Sprintf("%q cannot be the name of an agent", name), "Give it one with --name: "+andon.NameRule+".")
	}
	m.name, m.server, m.secret = andon.AgentName(name), url, secret
	if m.dir, err = c.agentDir(name); err != nil {
		return m, err
	}
	client, err := agent.Dial(url, secret, nil)
	if err != nil {
		return m, err
	}
	m.check = func(ctx context.Context) error { return client.Check(ctx, m.name) }
	return m, nil
}
