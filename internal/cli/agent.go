package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/andon-cd/andon/internal/server"
)

type agentCmd struct {
	Run   agentRunCmd   `cmd:"" default:"withargs" help:"Run an agent on this host; --join TOKEN makes the host a member of the plant first."`
	Join  agentJoinCmd  `cmd:"" help:"Make this host a member of a plant, and start nothing yet."`
	Token agentTokenCmd `cmd:"" help:"Print the token with which an agent of that name connects."`
}

type agentRunCmd struct {
	Join     string            `placeholder:"TOKEN" help:"Join the plant with the token that andon host add printed. Later starts need no token."`
	Name     string            `placeholder:"NAME" help:"The agent's name in the plant; the host's name if left out."`
	Slots    *int              `placeholder:"N" help:"How many jobs run here at once. (default: 0 on a host that joined, which is there for copies: only jobs that must run beside them; else one for each processor, at least 2)"`
	Label    map[string]string `placeholder:"KEY=VALUE" help:"What environments choose this host by. May be repeated."`
	Address  string            `placeholder:"IP" help:"Where other hosts reach the copies of this one. (default 127.0.0.1: they do not)"`
	Proxy    string            `default:"127.0.0.1:8601" placeholder:"ADDR" help:"Where the services of this host answer. (default ${default})"`
	LogLevel slog.Level        `default:"warn" placeholder:"LEVEL" help:"What to log on standard error: debug, info, warn or error. (default ${default})"`
	proxyFlags
	containerFlags
}

// An agentRecord is the content of DIR/agent.json.
type agentRecord struct {
	Server string `json:"server"`
	Agent  string `json:"agent"`
	PID    int    `json:"pid"`
}

// agentRecordFile names the record in an agent's data directory, by which `andon down` finds it.
func agentRecordFile(dir string) string { return filepath.Join(dir, "agent.json") }

// Run runs an agent until it is told to end. Its copies and its proxy go on.
func (cmd *agentRunCmd) Run(c *call) error {
	drivers, err := cmd.drivers(c)
	if err != nil {
		return err
	}
	if drivers.Containers, err = cmd.containers(c); err != nil {
		return err
	}
	member, err := cmd.membership(c)
	if err != nil {
		return err
	}
	usual := processorSlots()
	if member.secret == "" { // it joined, or does now: a host of copies, where strange code is not built
		usual = 0
	}
	slots, err := jobSlots(cmd.Slots, usual)
	if err != nil {
		return err
	}
	directory := server.Directory(member.dir)
	if member.check != nil { // before anything is made here that would stay
		if err := member.check(c.ctx); err != nil {
			return err
		}
	}
	if err := directory.Prepare(); err != nil {
		return err
	}
	release, err := directory.Hold()
	if err != nil {
		return err
	}
	defer release()
	if member.token != nil {
		if member.identity, err = server.Join(c.ctx, directory, *member.token); err != nil {
			return err
		}
	}
	record, err := json.Marshal(agentRecord{Server: member.server, Agent: string(member.name), PID: os.Getpid()})
	if err == nil {
		err = os.WriteFile(agentRecordFile(member.dir), append(record, '\n'), 0o600)
	}
	if err != nil {
		return err
	}
	var host *server.Host
	host, err = server.OpenHost(c.ctx, server.HostConfig{
		Directory: directory, Name: member.name, Slots: slots, Labels: cmd.Label, Address: cmd.Address, Build: thisBuild().Version,
		URL: member.server, Token: member.secret, Identity: member.identity, Listen: cmd.Proxy, Drivers: drivers, Log: c.log(cmd.LogLevel),
		Welcomed: func() { fmt.Fprintf(c.out, "ready agent %s proxy http://%s\n", member.name, host.Proxy.Addr()) },
	})
	if err != nil {
		return err
	}
	err = host.Run(c.ctx)
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, host.Close())
}

// agentDir returns the agent's data directory: never the plant's own.
func (c *call) agentDir(name string) (string, error) {
	if c.connection.Data != "" {
		return filepath.Abs(c.connection.Data)
	}
	data, err := c.userDir("XDG_DATA_HOME", ".local", "share")
	return filepath.Join(data, "andon-agent", name), err
}

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

// hostName returns the first part of this host's name in the form of an agent's name.
func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	name, _, _ = strings.Cut(strings.ToLower(name), ".")
	return strings.Trim(notInName.ReplaceAllString(name, "-"), "-")
}

type agentTokenCmd struct {
	Name string `arg:"" help:"The name of the agent."`
}

// Run prints an agent's token. It is the same each time it is asked for.
func (cmd *agentTokenCmd) Run(c *call) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	added, err := client.AddAgent(c.ctx, cmd.Name)
	if err != nil {
		return err
	}
	if c.json {
		c.sayJSON(c.out, added)
		return nil
	}
	fmt.Fprintln(c.out, added.Token)
	if live(c.out) {
		fmt.Fprintf(c.err, "On its host:  ANDON_TOKEN=%s andon agent --server %s --name %s\n", added.Token, quoted(client.Server), added.Agent)
	}
	return nil
}
