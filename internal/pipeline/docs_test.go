package pipeline_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const reference = "../../docs/reference/andon-yaml.md"

// docExamples returns the complete examples of the reference: its yaml blocks that begin
// with service:.
func docExamples(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	examples := map[string]string{}
	for i, block := range strings.Split(string(text), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		if strings.HasPrefix(block, "service:") {
			examples[fmt.Sprintf("%s, block %d", reference, i+1)] = block
		}
	}
	if len(examples) < 3 {
		t.Fatalf("found %d examples in %s", len(examples), reference)
	}
	return examples
}

func TestReference_NamesEveryKey(t *testing.T) {
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	eachKey(t, func(path, key string, _ map[string]any) {
		if !strings.Contains(string(text), key+"`") {
			t.Errorf("%s does not document %s.%s", reference, path, key)
		}
	})
}
