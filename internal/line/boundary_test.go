package line

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// rollouts are the strategies with the numbers that make a difference to their steps.
var rollouts = map[string]andon.Rollout{
	"rolling":                       {Strategy: andon.Rolling, Soak: time.Second},
	"rolling, one unavailable":      {Strategy: andon.Rolling, MaxUnavailable: 1},
	"rolling, two more, one fewer":  {Strategy: andon.Rolling, MaxUnavailable: 1, MaxSurge: 2},
	"blue-green":                    {Strategy: andon.BlueGreen, Soak: time.Second},
	"blue-green, kept warm":         {Strategy: andon.BlueGreen, Soak: time.Second, Warm: time.Minute},
	"canary":                        {Strategy: andon.Canary, Soak: time.Second, Canary: []andon.CanaryStep{{Weight: 10, Pause: time.Minute}, {Weight: 50, Pause: time.Minute}}},
	"canary, watched and kept warm": {Strategy: andon.Canary, Warm: time.Minute, Watch: &andon.Watch{Least: 10}, Canary: []andon.CanaryStep{{Weight: 25, Pause: time.Minute}}},
	"replace":                       {Strategy: andon.Replace, Soak: time.Second},
}

// wants are what is asked for in the middle of the deployment of version 3 over 2 over 1, and
// which version must be there in the end, exactly as it was when it was live.
var wants = map[string]struct {
	ask  func(*plant) Verb
	back andon.VersionNumber
	// over: it is asked for also when the deployment has ended
	over bool
}{
	"rollback":             {func(*plant) Verb { return Rollback{Place: production} }, 2, true},
	"rollback to an older": {func(*plant) Verb { return Rollback{Place: production, To: 1} }, 1, true},
	"abort":                {func(p *plant) Verb { return Cancel{Deployment: p.place("production").Active.Plan.ID} }, 2, false},
}

// stateHash is a hash of what should be in a place, but for the names that one deployment gives and
// another does not: what runs, with which configuration, on which hosts, and how requests are
// routed to it.
func stateHash(t testing.TB, p *Place) string {
	t.Helper()
	type part struct {
		Version  andon.VersionNumber
		Artifact andon.Digest
		Config   andon.ConfigHash
		Spec     andon.RunSpec
		Agent    andon.AgentName
		Weight   int
	}
	state := struct {
		Hosts  []string
		Edges  []andon.AgentName
		Copies []string
	}{}
	weights := map[andon.InstanceID]int{}
	if r := p.Desired.Route; r != nil {
		state.Hosts, state.Edges = r.Hosts, r.Edges
		for _, target := range r.Targets {
			weights[target.Instance] = target.Weight
		}
	}
	for _, c := range p.Desired.Copies {
		if p.Warm != nil && c.Group == p.Warm.Group {
			continue
		}
		b, err := json.Marshal(part{c.Version, c.Artifact, c.Config, c.Spec, c.Agent, weights[c.ID]})
		if err != nil {
			t.Fatal(err)
		}
		state.Copies = append(state.Copies, string(b))
	}
	slices.Sort(state.Copies)
	b, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// A ground is what deployments run on: how many agents have copies, and how many others are edges.
type ground struct{ hosts, edges int }

// grounds are those that make a difference to the steps: the agent in the server's process alone;
// several hosts whose proxies have their own copies; and hosts behind edges.
var grounds = []ground{{}, {hosts: 3}, {hosts: 2, edges: 2}}

func (g ground) String() string { return fmt.Sprintf("hosts=%d,edges=%d", g.hosts, g.edges) }

// lay connects the agents of a ground.
func (g ground) lay(p *plant) {
	for i := range g.hosts {
		p.world.label(andon.AgentName(fmt.Sprint("web-", i)), andon.LabelEnvironment, "production")
	}
	for i := range g.edges {
		p.world.label(andon.AgentName(fmt.Sprint("edge-", i)), andon.LabelRole, andon.RoleEdge)
	}
}

// deploying is a plant whose production is about to get version 3, with what production was when 1
// and 2 were live.
func deploying(t testing.TB, r andon.Rollout, worker bool, on ground) (*plant, map[andon.VersionNumber]string) {
	p := newPlant(t)
	if worker {
		p.pipe.Run.Port, p.pipe.Smoke = 0, nil
	}
	p.pipe.Run.Instances = 3
	p.pipe.Stages = p.pipe.Stages[2:] // production alone
	p.must(CreatePlant{Environments: []andon.Environment{{Name: "production", Rollout: r, Hosts: "{service}.localhost"}}})
	on.lay(p)
	hashes := map[andon.VersionNumber]string{}
	for n, name := range []string{"a", "b"} {
		p.Push(name)
		n := andon.VersionNumber(n + 1)
		p.Until(name+" is live", func() bool { return p.Live("production") == n })
		hashes[n] = stateHash(t, p.place("production"))
	}
	p.Push("c")
	p.Until("c is on its way to production", func() bool { return p.place("production").Active != nil })
	return p, hashes
}

// TestRollback_AtEveryBoundaryOfEveryStrategy goes to each point between two steps of a
// deployment, of the world or of the line, and asks there to go back: what should be in the end
// is exactly what was recorded when the wanted version was live. It does so for each strategy, on
// each ground, with services that have a route and such that have none.
func TestRollback_AtEveryBoundaryOfEveryStrategy(t *testing.T) {
	tried := map[andon.Strategy]bool{}
	for name, r := range rollouts {
		tried[r.Strategy] = true
		for what, want := range wants {
			for _, worker := range []bool{false, true} {
				for _, on := range grounds {
					t.Run(fmt.Sprintf("%s/%s/worker=%t/%s", name, what, worker, on), func(t *testing.T) {
						t.Parallel()
						steps := map[andon.DeploymentStep]bool{}
						boundaries := 0
						for done := false; !done; boundaries++ {
							p, hashes := deploying(t, r, worker, on)
							for range boundaries {
								p.world.step()
							}
							place := p.place("production")
							done = place.Active == nil // the boundary behind the last step
							if done && !want.over {
								break
							}
							at := fmt.Sprintf("boundary %d", boundaries)
							if d := place.Active; d != nil {
								steps[d.Step] = true
								at += ", " + string(d.Step)
							}
							p.must(want.ask(p))
							p.Settle()
							if got := stateHash(t, p.place("production")); got != hashes[want.back] || p.Live("production") != want.back {
								t.Fatalf("%s: %d is live, state %s, want %d as it was: %s", at, p.Live("production"), got, want.back, hashes[want.back])
							}
						}
						for _, must := range through(r, worker) {
							if !steps[must] {
								t.Errorf("no boundary of %s among %v", must, steps)
							}
						}
						if boundaries < 10 {
							t.Errorf("there are %d boundaries only", boundaries)
						}
					})
				}
			}
		}
	}
	for _, s := range andon.Strategies() {
		if !tried[s] {
			t.Errorf("strategy %s is not tried", s)
		}
	}
}

// through returns the steps that a deployment certainly comes to.
func through(r andon.Rollout, worker bool) []andon.DeploymentStep {
	steps := []andon.DeploymentStep{andon.StepPlacing}
	if !worker {
		steps = append(steps, andon.StepSmoking, andon.StepSwitching)
		if len(r.Canary) > 0 {
			steps = append(steps, andon.StepPausing)
		}
	}
	if r.Soak > 0 {
		steps = append(steps, andon.StepSoaking)
	}
	return steps
}

// TestAbort_AtEveryBoundaryOfARollback goes to each point of a rollback, to a group that was kept
// warm where there is one, and takes that back: what was there before is there again.
func TestAbort_AtEveryBoundaryOfARollback(t *testing.T) {
	for name, r := range rollouts {
		for _, on := range grounds {
			t.Run(name+"/"+on.String(), func(t *testing.T) {
				t.Parallel()
				for boundary := 0; ; boundary++ {
					p, _ := deploying(t, r, false, on)
					p.Until("c is live", func() bool { return p.Live("production") == 3 })
					before, warm := stateHash(t, p.place("production")), p.place("production").Warm
					p.must(Rollback{Place: production})
					if d := p.place("production").Active; warm != nil && d.Plan.Group != warm.Group {
						t.Fatalf("the group that was kept warm, %s, is not used again, but %s", warm.Group, d.Plan.Group)
					}
					for range boundary {
						p.world.step()
					}
					d := p.place("production").Active
					if d == nil {
						if boundary < 7 {
							t.Errorf("there are %d boundaries only", boundary)
						}
						return
					}
					p.must(Cancel{Deployment: d.Plan.ID})
					p.Settle()
					if got := stateHash(t, p.place("production")); got != before || p.Live("production") != 3 {
						t.Fatalf("boundary %d, %s: %d is live, state %s, want 3 as it was: %s", boundary, d.Step, p.Live("production"), got, before)
					}
				}
			})
		}
	}
}
