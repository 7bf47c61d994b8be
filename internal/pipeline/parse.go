package pipeline

import (
	"slices"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/form"
)

// Parse reads the andon.yaml src, called name in its problems. envs are the environments
// that the plant has; with none given, any well-formed name is accepted.
//
// It returns the pipeline with every default filled in, or all problems found (at most
// MaxProblems), in the order of the file. Each problem is of kind invalid and has a file, a
// line and a column from 1, the line itself as Source, one sentence, and a hint.
func Parse(name string, src []byte, envs []andon.EnvironmentName) (*andon.Pipeline, []*andon.Error) {
	found := form.NewProblems(name, src, form.Words{Elsewhere: elsewhere, Homes: homes, Empty: "run `andon init --force` to write one that works for this repository"})
	root := form.ReadTree(src, found)
	if root == nil {
		return nil, found.Sorted()
	}
	pipelineShape().Check(root, "", found)
	if !found.TooMany {
		checkRules(root, envs, found)
	}
	if !found.None() {
		return nil, found.Sorted()
	}
	return build(root), nil
}

// known reports whether the plant has that environment.
func known(env string, envs []andon.EnvironmentName) bool {
	return len(envs) == 0 || slices.Contains(envs, andon.EnvironmentName(env))
}
