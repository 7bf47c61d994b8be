package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/cli/demo"
)

type demoCmd struct {
	Once bool   `help:"Do not keep serving; end with 0 only if everything was observed."`
	Dir  string `placeholder:"DIR" help:"Where everything of it is kept; empty or not there. A temporary directory if left out."`
	Keep bool   `help:"Leave the directory there; its processes end all the same."`
}

// Run runs the demo.
func (cmd *demoCmd) Run(c *call) error {
	if c.json {
		return usage("demo prints for people only", "Leave --json out; --once ends with 0 only if everything was observed.")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	state, err := c.userDir("XDG_STATE_HOME", ".local", "state")
	if err != nil {
		return err
	}
	err = demo.Run(c.ctx, demo.Config{
		Program: self, Dir: cmd.Dir, State: filepath.Join(state, "andon", "demos"), Once: cmd.Once, Keep: cmd.Keep,
		Out: c.out, Live: live(c.out), Colour: bool(c.paint(c.out)),
	})
	if missing, ok := errors.AsType[*demo.NotObserved](err); ok {
		return andon.Errorf(andon.KindConflict, "%s", missing).
			WithHint("Keep the directory with --keep and see server.log and the plant in it.")
	}
	if errors.Is(err, context.Canceled) && c.ctx.Err() != nil {
		return andon.Errorf(andon.KindConflict, "the demo was interrupted; everything is cleaned up")
	}
	return err
}
