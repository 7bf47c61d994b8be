// Package past makes up the past of a large plant: what the line itself decides when many services
// are pushed to, built, tested, deployed, broken and mended for weeks, in a world that answers after
// plausible times. Benches and pages are measured over it.
package past

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

// Host is the agent that does everything in a made-up plant. It is no agent of the machine that
// reads the past, which therefore starts nothing.
const Host andon.AgentName = "elsewhere"

// Options say how large the past is.
type Options struct {
	Services     int
	Environments int // at most len(names); the last one is production
	Events       int // about how many
	Start        time.Time
	Every        time.Duration // mean time between two pushes to one service
	// Acceptance is the mean time of the acceptance tests; 0: 5 min. Where they take longer than
	// Every, most versions are superseded while they wait for them, and one deployment brings the
	// changes of many to production.
	Acceptance time.Duration
	Seed       uint64
}

// names are the environments of a past, in the order of the way to production.
var names = []andon.EnvironmentName{"test", "staging", "load", "canary", "production"}

// Make makes a past up and gives its events, in order, to take, which may refuse them. The line
// that decided them is returned.
func Make(o Options, take func([]andon.Event) error) (*line.State, error) {
	if o.Environments < 1 || o.Environments > len(names) {
		return nil, fmt.Errorf("a past has 1 to %d environments", len(names))
	}
	if o.Acceptance == 0 {
		o.Acceptance = 5 * time.Minute
	}
	w := &world{
		options: o, state: line.New(), now: o.Start, take: take, chance: rand.New(rand.NewPCG(o.Seed, 1)),
		there: make(map[andon.Place][]andon.Copy), served: make(map[andon.DeploymentID]int64), broken: make(map[andon.VersionRef]bool),
	}
	return w.state, w.run()
}

// environments returns the last n environments, declared.
func environments(n int) []andon.Environment {
	declared := make([]andon.Environment, 0, n)
	for _, name := range names[len(names)-n:] {
		e := andon.Environment{Name: name, Rollout: andon.Rollout{Strategy: andon.Rolling}, Hosts: "{service}." + string(name) + ".example"}
		if name == "production" {
			e.Rollout = andon.Rollout{Strategy: andon.BlueGreen, Soak: time.Minute}
		}
		declared = append(declared, e)
	}
	return declared
}

// pipelineOf returns the pipeline of a service through n environments.
func pipelineOf(service andon.ServiceName, n int) *andon.Pipeline {
	p := &andon.Pipeline{
		Service: service,
		Commit: andon.CommitStage{
			Jobs:     []andon.Job{{Name: "build", Steps: []andon.Step{{Run: "make test"}, {Run: "make"}}}},
			Artifact: &andon.ArtifactSource{Path: "out", Job: "build"},
		},
		Run: &andon.Run{
			Command: []string{"./" + string(service)}, Port: 8080, Instances: 2, Drain: time.Second, Stop: time.Second,
			Health: andon.Health{Path: "/healthz", Interval: time.Second, Timeout: time.Second, Start: time.Minute},
		},
	}
	for i, name := range names[len(names)-n:] {
		stage := andon.Stage{Name: andon.StageName(name), Deploy: name}
		switch {
		case i == 0 && n > 1:
			stage.Grants = andon.ReleaseCandidate
			stage.Jobs = []andon.Job{{Name: "acceptance", Steps: []andon.Step{{Run: "make acceptance"}}}}
		case i == n-2:
			stage.Grants = andon.Certified
		}
		p.Stages = append(p.Stages, stage)
	}
	return p
}

// artifactOf returns what a version was built into.
func artifactOf(v andon.VersionRef) andon.Digest {
	return andon.Digest(fmt.Sprintf("sha256:%032x%032x", len(v.Service)*7919+int(v.Number), hash(string(v.Service))))
}

func hash(s string) (h uint64) {
	for _, c := range []byte(s) {
		h = h*1099511628211 + uint64(c)
	}
	return h
}
