package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
)

type waitCmd struct {
	Version string         `arg:"" help:"shop (its newest version at this moment), shop@42, or shop@COMMIT."`
	For     string         `required:"" placeholder:"WHAT" help:"built, release-candidate, certified, live:ENVIRONMENT, stopped or ended."`
	Timeout *time.Duration `placeholder:"2m" help:"How long at most; without it, as long as it takes."`
}

// Run waits. It ends with 0 when it is reached, 1 when it cannot be reached any more, and 5
// when the time is over.
func (cmd *waitCmd) Run(c *call) error {
	if !goal(cmd.For) {
		return usage(fmt.Sprintf("%q is nothing to wait for", cmd.For),
			"Write --for built, release-candidate, certified, live:ENVIRONMENT, stopped or ended.")
	}
	if cmd.Timeout != nil && *cmd.Timeout <= 0 {
		return usage("a timeout must be longer than nothing", "Write --timeout 2m, or leave it out to wait as long as it takes.")
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	service, version := splitVersion(cmd.Version)
	waited, err := client.Wait(c.ctx, api.WaitQuestion{Service: service, Version: version, For: cmd.For, Timeout: cmd.timeout()})
	if err != nil {
		if c.ctx.Err() != nil {
			return &api.Error{Kind: api.KindConflict, Message: "waiting was interrupted"}
		}
		return c.known(client, service, err)
	}
	return cmd.say(c, waited)
}

// timeout returns how long to wait; 0: as long as it takes.
func (cmd *waitCmd) timeout() time.Duration {
	if cmd.Timeout == nil {
		return 0
	}
	return *cmd.Timeout
}

func (cmd *waitCmd) say(c *call, w api.Waited) error {
	if c.json {
		c.sayJSON(c.out, w)
	} else if w.State == api.WaitReached {
		fmt.Fprintln(c.out, printable(w.Reason)+".")
	}
	about := fmt.Sprintf("andon why %s@%d", w.Service, w.Version)
	switch w.State {
	case api.WaitReached:
		return nil
	case api.WaitUnreachable:
		return &api.Error{
			Kind: api.KindConflict, Message: fmt.Sprintf("%s cannot be reached any more: %s", w.For, w.Reason),
			Hint: "See `" + about + "`.",
		}
	default:
		message := fmt.Sprintf("%s %d is not %s after %s", w.Service, w.Version, w.For, andon.Brief(cmd.timeout()))
		if len(w.Waits) > 0 {
			message += ": " + w.Waits[0].Reason
		} else if w.Reason != "" {
			message += ": " + w.Reason
		}
		return &api.Error{Kind: api.KindTimeout, Message: message, Hint: "See `" + about + "`."}
	}
}

// goal reports whether a text is something that wait can wait for.
func goal(text string) bool {
	switch text {
	case "built", "release-candidate", "certified", "stopped", "ended":
		return true
	}
	environment, ok := strings.CutPrefix(text, "live:")
	return ok && environment != ""
}
