package cli

import "github.com/andon-cd/andon/internal/pipeline"

type schemaCmd struct{}

// Run prints the JSON Schema of andon.yaml, which is the same with --json and without.
func (cmd *schemaCmd) Run(c *call) error {
	_, err := c.out.Write(pipeline.Schema())
	return err
}
