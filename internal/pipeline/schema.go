package pipeline

import (
	"encoding/json"
	"fmt"
)

// A schemaObject is a JSON Schema, or a part of one.
type schemaObject map[string]any

// Schema returns the JSON Schema (2020-12) of andon.yaml, for editors. It accepts exactly
// the keys that Parse accepts; what a schema cannot say (references between names, bounds
// of durations) only Parse checks.
func Schema() []byte {
	s := pipelineShape().schema()
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["$id"] = "https://github.com/andon-cd/andon/andon.schema.json"
	s["title"] = "andon.yaml"
	s["description"] = "The way of one service to production with Andon."
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("pipeline: the schema is not JSON: %v", err)) // a fault of the table in format.go, which every test of this package meets
	}
	return append(out, '\n')
}
