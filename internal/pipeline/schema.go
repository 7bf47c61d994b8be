package pipeline

import "github.com/andon-cd/andon/internal/form"

// Schema returns the JSON Schema of andon.yaml.
func Schema() []byte {
	return form.Schema(pipelineShape(), "https://github.com/andon-cd/andon/andon.schema.json",
		"andon.yaml", "The way of one service to production with Andon.")
}
