package past

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

// How often what goes wrong.
const (
	breaks     = 0.07 // a push fails in its commit stage
	rejects    = 0.04 // a version fails its acceptance tests
	regrets    = 0.01 // a version is rolled back some time after it reached production
	onTheTrunk = 0.9  // of the pushes
)

// A world is everything outside of the line: people, jobs, copies. Time goes on from one thing
// that is due to the next.
type world struct {
	options Options
	state   *line.State
	take    func([]andon.Event) error
	chance  *rand.Rand
	now     time.Time
	agenda  agenda
	order   int // of what is put on the agenda
	events  int
	commits int
	wakes   time.Time // of the line, if it is not stale
	stale   bool

	there  map[andon.Place][]andon.Copy // what runs, as attested
	served map[andon.DeploymentID]int64
	broken map[andon.VersionRef]bool
}

// run lets time pass until there are enough events.
func (w *world) run() error {
	if err := w.do(line.CreatePlant{Plant: "made-up", Environments: environments(w.options.Environments)}); err != nil {
		return err
	}
	if err := w.do(line.ConnectAgent{Hello: andon.Hello{Agent: Host, Slots: 10 * w.options.Services, Build: "made-up"}}); err != nil {
		return err
	}
	for i := range w.options.Services {
		service := andon.ServiceName(fmt.Sprintf("service-%04d", i+1))
		w.after(time.Duration(i)*time.Second, func() error { return w.work(service) })
	}
	for w.events < w.options.Events {
		if err := w.next(); err != nil {
			return err
		}
	}
	return nil
}

// next lets time pass to what is due next: in the world, or by the line's own clock.
func (w *world) next() error {
	wake := w.wake()
	if due := w.agenda[0]; wake.IsZero() || due.at.Before(wake) {
		heap.Pop(&w.agenda)
		w.now = due.at
		return due.does()
	}
	if wake.After(w.now) {
		w.now = wake
	}
	return w.do(line.Tick{})
}

// wake returns when the line wants to look again. It asks all places, so it is asked only when one
// of them may have changed.
func (w *world) wake() time.Time {
	if w.stale {
		w.wakes, w.stale = w.state.Wake(), false
	}
	return w.wakes
}

// do gives the line a command, and lets the world answer what it decides. A command that is
// refused is what people meet, too.
func (w *world) do(verb line.Verb) error {
	events, err := w.state.Decide(line.Command{By: "made-up", Do: verb}, w.now)
	if kind := andon.KindOf(err); err != nil && kind != andon.KindConflict && kind != andon.KindRefused && kind != andon.KindNotFound {
		return fmt.Errorf("%T: %w", verb, err)
	}
	if len(events) == 0 {
		return nil
	}
	w.stale = w.stale || slices.ContainsFunc(events, movesPlace)
	w.events += len(events)
	for _, e := range events {
		w.answer(e)
	}
	return w.take(events)
}

// movesPlace reports whether an event is of a kind that can change when a deployment is due.
func movesPlace(e andon.Event) bool {
	switch e.Body.(type) {
	case andon.VersionCreated, andon.TaskQueued, andon.TaskLeased, andon.TaskEnded, andon.StageStarted, andon.StageFinished, andon.VersionEnded, andon.MaturityChanged:
		return false
	default:
		return true
	}
}

func (w *world) answer(e andon.Event) {
	switch body := e.Body.(type) {
	case andon.TaskLeased:
		if t := w.state.Tasks[body.Task]; t != nil {
			task, token, began := t.Task, body.Token, w.now
			w.after(w.jobTime(&task), func() error { return w.finish(&task, token, began) })
		}
	case andon.DesiredChanged:
		place := body.Desired.Place
		w.after(w.between(time.Second, 4*time.Second), func() error { return w.converge(place) })
	case andon.DeploymentEnded:
		if body.Environment == "production" && body.Outcome == andon.Succeeded && w.chance.Float64() < regrets {
			place := body.Place
			w.after(w.between(10*time.Minute, time.Hour), func() error {
				return w.do(line.Rollback{Place: place, Reason: "customers report errors"})
			})
		}
	}
}

// work is somebody who pushes to a service, again and again.
func (w *world) work(service andon.ServiceName) error {
	branch := "main"
	if w.chance.Float64() > onTheTrunk {
		branch = fmt.Sprintf("try-%d", w.chance.IntN(5))
	}
	w.commits++
	number := andon.VersionNumber(1)
	if s := w.state.Services[service]; s != nil {
		number = s.Newest + 1
	}
	w.broken[andon.VersionRef{Service: service, Number: number}] = number > 1 && w.chance.Float64() < breaks
	err := w.do(line.Push{
		Service: service, Source: andon.Source{Trunk: "main"}, Branch: branch,
		Commit: andon.CommitID(fmt.Sprintf("%08x%032x", hash(string(service))&0xffffffff, w.commits)),
		Author: fmt.Sprintf("author-%d@example.com", 1+w.chance.IntN(30)), Subject: subjects[w.chance.IntN(len(subjects))],
		Committed: w.now.Add(-w.between(time.Minute, 20*time.Minute)), Pipeline: pipelineOf(service, w.options.Environments),
	})
	w.after(time.Duration(w.chance.ExpFloat64()*float64(w.options.Every)), func() error { return w.work(service) })
	return err
}

// finish reports a task as its agent would.
func (w *world) finish(task *andon.Task, token andon.Token, began time.Time) error {
	result := andon.TaskResult{Outcome: andon.Succeeded, Started: began, Ended: w.now}
	bad := w.broken[task.Version] && task.Stage == "commit" || task.Stage == "test" && w.chance.Float64() < rejects
	switch {
	case bad:
		result.Outcome, result.Reason, result.ExitCode = andon.Failed, "the step `make test` failed with exit status 1", 1
	case task.Artifact != nil:
		result.Artifact = &andon.Artifact{Digest: artifactOf(task.Version), Size: 20 << 20}
	}
	return w.do(line.FinishTask{Agent: Host, Epoch: w.epoch(), Task: task.ID, Token: token, Result: result})
}

// converge attests that what should be in a place is there.
func (w *world) converge(at andon.Place) error {
	place := w.state.PlaceOf(at)
	if place == nil {
		return nil
	}
	seen := andon.Observation{Agent: Host, Epoch: w.epoch()}
	for _, c := range w.there[at] {
		if _, wanted := place.Desired.Copy(c.ID); !wanted {
			seen.Instances = append(seen.Instances, andon.InstanceState{ID: c.ID, Phase: andon.PhaseStopped})
		}
	}
	w.there[at] = place.Desired.Copies
	route := andon.RouteState{Place: at, Generation: place.Desired.Generation}
	for _, c := range place.Desired.Copies {
		seen.Instances = append(seen.Instances, andon.InstanceState{
			ID: c.ID, Phase: andon.PhaseHealthy, Artifact: c.Artifact, Config: c.Config, Address: "127.0.0.1:1", Run: 1,
		})
		if place.Desired.Routed(c.ID) {
			route.Targets = append(route.Targets, c.ID)
		}
	}
	if place.Desired.Route != nil {
		if id := place.Desired.Route.Ledger; id != "" {
			w.served[id] += int64(w.chance.IntN(1_000_000))
			route.Ledgers = []andon.Ledger{{Deployment: id, Served: w.served[id], Failed: w.served[id] / 900_000}}
		}
		seen.Routes = []andon.RouteState{route}
	}
	return w.do(line.Observe{Observation: seen})
}

func (w *world) epoch() int64 { return w.state.Agents[Host].Epoch }

// jobTime is how long a task takes: most are fast, some are not.
func (w *world) jobTime(task *andon.Task) time.Duration {
	mean := 90 * time.Second
	if task.Stage != "commit" {
		mean = w.options.Acceptance
	}
	return mean/3 + time.Duration(w.chance.ExpFloat64()*float64(mean)*2/3)
}

func (w *world) between(a, b time.Duration) time.Duration {
	return a + time.Duration(w.chance.Int64N(int64(b-a)))
}

func (w *world) after(d time.Duration, does func() error) {
	w.order++
	heap.Push(&w.agenda, due{at: w.now.Add(d), order: w.order, does: does})
}
