// Package andontest has what agents and servers of earlier releases said to each other.
package andontest

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

//go:embed testdata/*.jsonl
var transcripts embed.FS

// Protocols are those that there is a transcript of, the oldest first.
func Protocols() []int { return []int{1, 2} }

// An Exchange is a request of an agent with its answer, as one line of a transcript.
type Exchange struct {
	Post   string          `json:"post"` // the path below /agent/v1/
	Asked  json.RawMessage `json:"asked"`
	Status int             `json:"status"`
	Answer json.RawMessage `json:"answer"`
}

// Transcript returns what an agent and a server of a protocol said to each other, recorded when
// that protocol was the newest: a service is pushed, built and deployed.
func Transcript(protocol int) ([]Exchange, error) {
	data, err := transcripts.ReadFile(fmt.Sprintf("testdata/protocol-%d.jsonl", protocol))
	if err != nil {
		return nil, err
	}
	var all []Exchange
	for line := range bytes.Lines(data) {
		var e Exchange
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// A Vocabulary is which fields JSON has, by their paths, and the type of each.
type Vocabulary map[string]string

// Learn adds the fields of a document, whose path is the topic.
func (v Vocabulary) Learn(topic string, document []byte) error {
	value, err := decoded(document)
	if err != nil {
		return err
	}
	walk(topic, value, func(path, kind string) { v[path] = kind })
	return nil
}

// Lacks returns which fields of another vocabulary are missing, or are of another type, in order.
func (v Vocabulary) Lacks(other Vocabulary) []string {
	var lacks []string
	for _, path := range slices.Sorted(maps.Keys(other)) {
		if v[path] != other[path] {
			lacks = append(lacks, path)
		}
	}
	return lacks
}

// Within returns a document without the fields that are not in the vocabulary.
func (v Vocabulary) Within(topic string, document []byte) ([]byte, error) {
	value, err := decoded(document)
	if err != nil {
		return nil, err
	}
	return json.Marshal(v.within(topic, value))
}

func (v Vocabulary) within(path string, value any) any {
	switch value := value.(type) {
	case map[string]any:
		kept := map[string]any{}
		for name, field := range value {
			if _, known := v[path+"."+name]; known {
				kept[name] = v.within(path+"."+name, field)
			}
		}
		return kept
	case []any:
		kept := make([]any, len(value))
		for i, element := range value {
			kept[i] = v.within(path+"[]", element)
		}
		return kept
	}
	return value
}

// Later returns a document as a later release might send it: with a field more in each object.
func Later(document []byte) ([]byte, error) {
	value, err := decoded(document)
	if err != nil {
		return nil, err
	}
	return json.Marshal(later(value))
}

func later(value any) any {
	switch value := value.(type) {
	case map[string]any:
		more := map[string]any{}
		texts := len(value) > 0
		for name, field := range value {
			more[name] = later(field)
			_, text := field.(string)
			texts = texts && text
		}
		if texts {
			more["flux"] = "x" // it may be one of names and texts, such as labels
		} else {
			more["flux"] = map[string]any{"capacity": []any{1.21, "GW"}}
		}
		return more
	case []any:
		more := make([]any, len(value))
		for i, element := range value {
			more[i] = later(element)
		}
		return more
	}
	return value
}

// decoded decodes a document, with numbers as they are written.
func decoded(document []byte) (value any, err error) {
	in := json.NewDecoder(bytes.NewReader(document))
	in.UseNumber()
	return value, in.Decode(&value)
}

func walk(path string, value any, visit func(path, kind string)) {
	switch value := value.(type) {
	case map[string]any:
		visit(path, "object")
		for name, field := range value {
			walk(path+"."+name, field, visit)
		}
	case []any:
		visit(path, "list")
		for _, element := range value {
			walk(path+"[]", element, visit)
		}
	case nil: // a list or an object that is empty, as Go writes it
	default:
		visit(path, strings.TrimPrefix(fmt.Sprintf("%T", value), "json."))
	}
}
