package estate

import (
	"cmp"
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
	var environments []andon.Environment
	var problems []*andon.Error
	routes := map[string]string{} // route → the file that has it
	for _, f := range files {
		if !Reads(f.Path) {
			continue
		}
		name, problem := environmentName(f)
		if problem != nil {
			problems = append(problems, problem)
			continue
		}
		e, found := parseEnvironment(name, f, routes)
		problems = append(problems, found...)
		environments = append(environments, e)
	}
	if len(problems) == 0 && len(environments) == 0 {
		problems = []*andon.Error{andon.Errorf(andon.KindInvalid, "the estate declares no environment").
			WithHint("write environments/production.yaml")}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return environments, nil
}

func tooLarge(files []File) *andon.Error {
	size := 0
	for _, f := range files {
		size += len(f.Data)
	}
	if len(files) > MaxFiles || size > MaxSize {
		return andon.Errorf(andon.KindInvalid, "the estate has %d files with %d bytes, and may have %d with %d", len(files), size, MaxFiles, MaxSize).
			WithHint("keep nothing but declarations in it")
	}
	return nil
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

func parseEnvironment(name andon.EnvironmentName, f File, routes map[string]string) (andon.Environment, []*andon.Error) {
	found := form.NewProblems(f.Path, f.Data, words)
	root := form.ReadTree(f.Data, found)
	if root == nil {
		return andon.Environment{}, found.Sorted()
	}
	environmentShape().Check(root, "", found)
	if !found.TooMany {
		checkRules(name, root, f.Path, routes, found)
	}
	if !found.None() {
		return andon.Environment{}, found.Sorted()
	}
	return build(name, root), nil
}

// checkRules checks what one key says about another, and about other environments.
func checkRules(name andon.EnvironmentName, root *form.Node, file string, routes map[string]string, found *form.Problems) {
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
	route, at := routeOf(name, root)
	if other, taken := routes[route]; taken {
		found.Add(at, "give each environment a route of its own", "the route %s is that of %s too", route, other)
		return
	}
	routes[route] = file
}

// routeOf returns the route of an environment, and where to say what is wrong with it.
func routeOf(name andon.EnvironmentName, root *form.Node) (string, form.Position) {
	if route := root.Get("route"); route.Str() != "" {
		return route.Str(), route.At
	}
	if name == "production" {
		return "{service}.localhost", root.At
	}
	return "{service}." + string(name) + ".localhost", root.At
}

// build returns the environment that a file without problems declares.
func build(name andon.EnvironmentName, root *form.Node) andon.Environment {
	route, _ := routeOf(name, root)
	e := andon.Environment{
		Name: name, Hosts: route, Platform: root.Get("platform").Str(),
		Place: buildSelector(root.Get("hosts")), Edge: buildSelector(root.Get("edge")),
		Rollout: buildStrategy(root.Get("strategy")),
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
