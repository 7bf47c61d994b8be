package cli

import (
	"fmt"
	"os"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/backup"
)

type restoreCmd struct {
	File string `arg:"" help:"What andon backup wrote; - is standard input."`
}

// Run makes a data directory from a backup. It needs a directory that is empty or not there.
func (cmd *restoreCmd) Run(c *call) error {
	dir, err := c.dataDir()
	if err != nil {
		return err
	}
	in := c.in
	if cmd.File != "-" {
		f, err := os.Open(cmd.File)
		if err != nil {
			return andon.Errorf(andon.KindInvalid, "%s cannot be read: %s", cmd.File, reason(err)).
				WithHint("Name the file that `andon backup` wrote.").Because(err)
		}
		defer f.Close()
		in = f
	}
	if err := backup.Restore(c.ctx, in, dir); err != nil {
		return err
	}
	if c.json {
		c.sayJSON(c.out, struct {
			Data string `json:"data"`
		}{dir})
		return nil
	}
	fmt.Fprintf(c.out, "Restored to %s. Start it with `andon server --data %s`.\n", dir, quoted(dir))
	return nil
}
