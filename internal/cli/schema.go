package cli

import (
	"github.com/andon-cd/andon/internal/estate"
	"github.com/andon-cd/andon/internal/pipeline"
)

type schemaCmd struct {
	Estate bool `help:"That of environments/NAME.yaml in the estate, instead."`
}

// Run prints a JSON Schema, which is the same with --json and without.
func (cmd *schemaCmd) Run(c *call) error {
	schema := pipeline.Schema()
	if cmd.Estate {
		schema = estate.Schema()
	}
	_, err := c.out.Write(schema)
	return err
}
