package estate

import "github.com/andon-cd/andon/internal/form"

// Schema returns the JSON Schema of environments/NAME.yaml.
func Schema() []byte {
	return form.Schema(environmentShape(), "https://github.com/andon-cd/andon/environment.schema.json",
		"environments/NAME.yaml", "One environment of a plant of Andon.")
}
