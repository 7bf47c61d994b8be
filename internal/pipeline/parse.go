package pipeline

import (
	"slices"

	"github.com/andon-cd/andon/internal/andon"
)

// MaxSize is how many bytes an andon.yaml may have.
const MaxSize = 256 << 10

// Parse reads the andon.yaml src, called name in its problems. envs are the environments
// that the plant has; with none given, any well-formed name is accepted.
//
// It returns the pipeline with every default filled in, or all problems found (at most
// MaxProblems), in the order of the file. Each problem is of kind invalid and has a file, a
// line and a column from 1, the line itself as Source, one sentence, and a hint.
func Parse(name string, src []byte, envs []andon.EnvironmentName) (*andon.Pipeline, []*andon.Error) {
	found := newProblems(name, src)
	root := readTree(src, found)
	if root == nil {
		return nil, found.sorted()
	}
	pipelineShape().check(root, "", found)
	if !found.tooMany {
		checkRules(root, envs, found)
	}
	if !found.none() {
		return nil, found.sorted()
	}
	return build(root), nil
}

// known reports whether the plant has that environment.
func known(env string, envs []andon.EnvironmentName) bool {
	return len(envs) == 0 || slices.Contains(envs, andon.EnvironmentName(env))
}
