package cli

import (
	"fmt"

	"github.com/andon-cd/andon/internal/ca"
	"github.com/andon-cd/andon/internal/server"
)

type agentJoinCmd struct {
	With string `arg:"" name:"join-token" help:"The token of andon host add; - is standard input."`
}

// Run makes this host a member of a plant, and starts nothing.
func (cmd *agentJoinCmd) Run(c *call) error {
	text := cmd.With
	if text == "-" {
		var err error
		if text, err = c.readSecret("-"); err != nil {
			return err
		}
	}
	token, err := ca.ParseToken(text)
	if err != nil {
		return err
	}
	dir, err := c.agentDir(string(token.Agent))
	if err != nil {
		return err
	}
	directory := server.Directory(dir)
	if err := directory.Prepare(); err != nil {
		return err
	}
	release, err := directory.Hold()
	if err != nil {
		return err
	}
	defer release()
	if _, err := server.Join(c.ctx, directory, token); err != nil {
		return err
	}
	if c.json {
		c.sayJSON(c.out, joined{Host: string(token.Agent), Server: token.Server, Data: dir})
		return nil
	}
	fmt.Fprintf(c.out, "This host is %s of the plant at %s. Start its agent with `%s`.\n", token.Agent, token.Server, shellLine([]string{ownProgram(), "agent", "--data", dir}))
	return nil
}

// A joined is what `andon agent join --json` prints.
type joined struct {
	Host   string `json:"host"`
	Server string `json:"server"`
	Data   string `json:"data"`
}
