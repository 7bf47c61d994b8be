package estate

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/form"
)

// A File is one file of an estate.
type File struct {
	Path string // slash-separated, below the top of the repository
	Data []byte
}

// MaxFiles bounds the files of an estate, MaxSize the bytes of all of them together.
const (
	MaxFiles = 1000
	MaxSize  = 512 << 10
)

// Directory is where the environments of an estate are.
const Directory = "environments"

// later names what an estate is to declare one day: it is refused, so that nobody takes it for
// applied.
var later = map[string]string{
	"config": "configuration", "flags": "feature flags", "rules.yaml": "rules", "rules.yml": "rules",
}

// Paths returns what of a repository belongs to its estate: only what is there, or below it, is
// wanted.
func Paths() []string { return append(slices.Sorted(maps.Keys(later)), Directory) }

// Reads reports whether a file of the repository belongs to the estate: only those are wanted.
func Reads(file string) bool {
	top, _, _ := strings.Cut(file, "/")
	return top == Directory || later[top] != ""
}

// Parse reads an estate as a whole. It returns the environments ordered by name, or all problems
// found, ordered by file. The order of the files does not matter.
func Parse(files []File) ([]andon.Environment, []*andon.Error) {
	files = slices.SortedFunc(slices.Values(files), func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	if problem := tooLarge(files); problem != nil {
		return nil, []*andon.Error{problem}
	}
	var readings []reading
	var problems []*andon.Error
	for _, f := range files {
		if !Reads(f.Path) {
			continue
		}
		name, problem := environmentName(f)
		if problem != nil {
			problems = append(problems, problem)
			continue
		}
		readings = append(readings, read(name, f))
	}
	checkRoutes(readings)
	environments := make([]andon.Environment, 0, len(readings))
	for _, r := range readings {
		problems = append(problems, r.found.Sorted()...)
		environments = append(environments, r.environment)
	}
	if len(problems) == 0 && len(environments) == 0 {
		problems = []*andon.Error{andon.Errorf(andon.KindInvalid, "the estate declares no environment").
			WithHint("write environments/production.yaml")}
	}
	if len(problems) > 0 {
		slices.SortStableFunc(problems, func(a, b *andon.Error) int { return cmp.Compare(a.File, b.File) })
		return nil, problems
	}
	return environments, nil
}

// A reading is one file, read.
type reading struct {
	environment andon.Environment // as far as the file is valid
	file        string
	root        *form.Node // nil: it is not YAML
	found       *form.Problems
}

func tooLarge(files []File) *andon.Error {
	size := int64(0)
	for _, f := range files {
		size += int64(len(f.Data))
	}
	return TooLarge(len(files), size)
}

// TooLarge returns the problem of an estate with so many files, of so many bytes together; nil:
// it has none.
func TooLarge(files int, bytes int64) *andon.Error {
	if files <= MaxFiles && bytes <= MaxSize {
		return nil
	}
	return andon.Errorf(andon.KindInvalid, "the estate has %d files with %d bytes, and may have %d with %d", files, bytes, MaxFiles, MaxSize).
		WithHint("keep nothing but declarations in it")
}

// environmentName returns the environment that a file declares, or why it declares none.
func environmentName(f File) (andon.EnvironmentName, *andon.Error) {
	problem := func(hint, format string, args ...any) *andon.Error {
		e := andon.Errorf(andon.KindInvalid, format, args...)
		e.File, e.Line, e.Column, e.Hint = f.Path, 1, 1, hint
		return e
	}
	top, rest, _ := strings.Cut(f.Path, "/")
	name := strings.TrimSuffix(strings.TrimSuffix(rest, ".yaml"), ".yml")
	switch {
	case top != Directory:
		return "", problem("remove it from the estate: nothing of it would apply", "an estate with %s is not supported by this version of Andon yet", later[top])
	case strings.Contains(rest, "/") || name == rest:
		return "", problem("an environment is one file, as environments/production.yaml", "%s declares no environment", f.Path)
	case !andon.ValidName(name):
		return "", problem(andon.NameRule, "%q cannot name an environment", name)
	}
	return andon.EnvironmentName(name), nil
}

func read(name andon.EnvironmentName, f File) reading {
	r := reading{file: f.Path, found: form.NewProblems(f.Path, f.Data, words)}
	r.root = form.ReadTree(f.Data, r.found)
	if r.root == nil {
		return r
	}
	environmentShape().Check(r.root, "", r.found)
	if !r.found.TooMany {
		checkRules(r.root, r.found)
	}
	if r.found.None() {
		r.environment = build(name, r.root)
	}
	return r
}

// checkRules checks what one key says about another.
func checkRules(root *form.Node, found *form.Problems) {
	strategy := root.Get("strategy")
	if strategy.Str() == string(andon.Canary) {
		found.Add(strategy.At, "write strategy: {canary: {steps: [{weight: 5, pause: 2m}, {weight: 50, pause: 2m}]}}", "strategy: canary needs its steps")
	}
	before := 0
	for i, step := range strategy.Get(string(andon.Canary)).Get("steps").List() {
		weight := step.Get("weight")
		if weight.Integer(0) <= before && weight.Integer(0) > 0 {
			found.Add(weight.At, "let each step have a larger weight than the one before", "strategy.canary.steps[%d].weight is %d, after %d", i, weight.Integer(0), before)
		}
		before = max(before, weight.Integer(0))
	}
	rolling := strategy.Get(string(andon.Rolling))
	if surge := rolling.Get("max_surge"); surge != nil && surge.Integer(1) == 0 && rolling.Get("max_unavailable").Integer(0) == 0 {
		found.Add(surge.At, "let one of max_surge and max_unavailable be at least 1", "strategy.rolling could never replace a copy: none may be added, and none may be missing")
	}
}

// build returns the environment that a file without problems declares.
func build(name andon.EnvironmentName, root *form.Node) andon.Environment {
	e := andon.Environment{
		Name: name, Platform: root.Get("platform").Str(),
		Place: buildSelector(root.Get("hosts")), Edge: buildSelector(root.Get("edge")),
		Rollout: buildStrategy(root.Get("strategy")),
	}
	e.Hosts, e.Aliases, e.Routes = buildRoutes(name, root)
	limits := root.Get("limits")
	e.MostInstances = limits.Get("instances").Integer(0)
	e.Limits = andon.Limits{
		Memory: limits.Get("memory").Size(0), CPU: int(math.Round(limits.Get("cpu").Fraction(0) * 1000)),
		Processes: limits.Get("processes").Integer(0),
	}
	e.Soak = root.Get("soak").Duration(0)
	if watch := root.Get("watch"); watch != nil {
		e.Watch = &andon.Watch{
			Errors: watch.Get("errors").Fraction(0), Latency: watch.Get("latency").Fraction(0),
			Least: int64(watch.Get("least").Integer(defaultLeast)),
		}
	}
	return e
}

func buildSelector(n *form.Node) andon.Selector {
	var s andon.Selector
	for _, name := range n.Get("names").Strs() {
		s.Agents = append(s.Agents, andon.AgentName(name))
	}
	for _, label := range n.Get("labels").All() {
		if s.Labels == nil {
			s.Labels = map[string]string{}
		}
		s.Labels[label.Key] = label.Value.Str()
	}
	return s
}

func buildStrategy(n *form.Node) andon.Rollout {
	r := andon.Rollout{Strategy: andon.Rolling}
	if n.Scalar() {
		r.Strategy = andon.Strategy(n.Str())
	}
	for _, chosen := range n.All() {
		r.Strategy = andon.Strategy(chosen.Key)
		r.MaxUnavailable = chosen.Value.Get("max_unavailable").Integer(0)
		r.MaxSurge = chosen.Value.Get("max_surge").Integer(0)
		r.Warm = chosen.Value.Get("warm").Duration(0)
		for _, step := range chosen.Value.Get("steps").List() {
			r.Canary = append(r.Canary, andon.CanaryStep{Weight: step.Get("weight").Integer(0), Pause: step.Get("pause").Duration(0)})
		}
	}
	return r
}
