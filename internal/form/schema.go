package form

import (
	"encoding/json"
	"fmt"
)

// A SchemaObject is a JSON Schema, or a part of one.
type SchemaObject map[string]any

// Schema returns a shape as JSON Schema (2020-12), for editors. It accepts exactly the keys that
// Check accepts; what a schema cannot say (references between names, bounds of durations) only
// Check and the rules of the format find.
func Schema(s Shape, id, title, description string) []byte {
	schema := s.Schema()
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["$id"] = id
	schema["title"] = title
	schema["description"] = description
	out, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("form: a schema is not JSON: %v", err)) // a fault of the format's table, which every test of it meets
	}
	return append(out, '\n')
}
