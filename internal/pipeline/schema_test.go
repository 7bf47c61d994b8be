package pipeline_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/andon-cd/andon/internal/pipeline"
)

func TestSchema_AgreesWithParse(t *testing.T) {
	schema := compileSchema(t)
	for name, src := range accepted(t) {
		if err := schema.Validate(decode(t, src)); err != nil {
			t.Errorf("%s: Parse accepts it, and the schema does not: %v", name, err)
		}
	}
	for _, c := range refusals {
		if c.schema == notYAML {
			continue
		}
		err := schema.Validate(decode(t, c.src))
		switch {
		case c.schema == refusesToo && err == nil:
			t.Errorf("%s: Parse refuses it, and the schema does not", c.name)
		case c.schema == cannotSee && err != nil:
			t.Errorf("%s: the schema was thought blind, and refuses it: %v", c.name, err)
		}
	}
}

func TestSchema_DescribesEveryKey(t *testing.T) {
	keys := 0
	eachKey(t, func(path, key string, property map[string]any) {
		keys++
		if text, _ := property["description"].(string); text == "" {
			t.Errorf("%s.%s has no description", path, key)
		}
	})
	if keys < 40 {
		t.Errorf("found %d keys: the walk misses some", keys)
	}
}

// eachKey calls f for every key that the schema accepts.
func eachKey(t *testing.T, f func(path, key string, property map[string]any)) {
	t.Helper()
	var schema any
	if err := json.Unmarshal(pipeline.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				walk(path, item)
			}
		case map[string]any:
			properties, _ := v["properties"].(map[string]any)
			for key, p := range properties {
				property, _ := p.(map[string]any)
				f(path, key, property)
				walk(path+"."+key, property)
			}
			for key, child := range v {
				if key != "properties" {
					walk(path, child)
				}
			}
		}
	}
	walk("", schema)
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(pipeline.Schema())))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("andon.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("andon.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// decode reads YAML as an editor does, on its way to a JSON Schema.
func decode(t *testing.T, src string) any {
	t.Helper()
	asJSON, err := yaml.YAMLToJSON([]byte(src))
	if err != nil {
		t.Fatalf("%v in\n%s", err, src)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(asJSON)))
	if err != nil {
		t.Fatalf("%v in\n%s", err, asJSON)
	}
	return doc
}
