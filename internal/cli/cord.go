package cli

import (
	"fmt"

	"github.com/andon-cd/andon/api"
)

type cordCmd struct {
	Pull    cordPullCmd    `cmd:"" help:"Stop the line: nothing but a rollback is promoted within the scope."`
	Release cordReleaseCmd `cmd:"" help:"Let the line run again."`
}

// A cordScope is how people say what a cord stops.
type cordScope struct {
	Service     string `placeholder:"SERVICE" xor:"scope" help:"Only this service."`
	Environment string `placeholder:"ENVIRONMENT" xor:"scope" aliases:"env" help:"Only this environment."`
}

func (s cordScope) wire() api.Scope {
	switch {
	case s.Service != "":
		return api.Scope{Kind: api.ScopeService, Service: s.Service}
	case s.Environment != "":
		return api.Scope{Kind: api.ScopeEnvironment, Environment: s.Environment}
	default:
		return api.Scope{Kind: api.ScopePlant}
	}
}

type cordPullCmd struct {
	Scope  cordScope `embed:""`
	Reason string    `required:"" short:"m" placeholder:"TEXT" help:"Why; everybody sees it on the board."`
}

// Run stops the line: the whole plant unless a scope is given.
func (cmd *cordPullCmd) Run(c *call) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	scope := cmd.Scope.wire()
	answer, err := client.PullCord(c.ctx, api.PullCord{Scope: scope, Reason: cmd.Reason})
	if err != nil {
		return c.known(client, scope.Service, err)
	}
	return c.done(answer, "The line is stopped for %s. Let it run again with `andon cord release %s --reason …`.",
		scopeWords(scope), answer.Cord)
}

type cordReleaseCmd struct {
	Cord   string    `arg:"" optional:"" help:"As status and why name it: cord-3. Left out: the scope's, or the only one that is pulled."`
	Scope  cordScope `embed:""`
	Reason string    `required:"" short:"m" placeholder:"TEXT" help:"Why it may run again."`
}

// Run lets the line run again.
func (cmd *cordReleaseCmd) Run(c *call) error {
	scoped := cmd.Scope != cordScope{}
	if cmd.Cord != "" && scoped {
		return usage("name the cord or its scope, not both", "See `andon cord release --help`.")
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	release := api.ReleaseCord{Cord: cmd.Cord, Reason: cmd.Reason}
	switch {
	case scoped:
		scope := cmd.Scope.wire()
		release.Scope = &scope
	case cmd.Cord == "":
		if release.Cord, err = onlyCord(c, client); err != nil {
			return err
		}
	}
	answer, err := client.ReleaseCord(c.ctx, release)
	if err != nil {
		return c.known(client, cmd.Scope.Service, err)
	}
	return c.done(answer, "%s is released.", first(answer.Cord, "The cord"))
}

// onlyCord returns the one cord that is pulled.
func onlyCord(c *call, client *api.Client) (string, error) {
	cords, err := client.Cords(c.ctx, true, api.Page{})
	switch {
	case err != nil:
		return "", err
	case len(cords) == 0:
		return "", &api.Error{Kind: api.KindNotFound, Message: "no cord is pulled", Hint: "See `andon status`."}
	case len(cords) > 1:
		return "", usage(fmt.Sprintf("%d cords are pulled", len(cords)), "Name one of them; `andon status` lists them.")
	}
	return cords[0].ID, nil
}
