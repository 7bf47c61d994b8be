package e2e

import (
	"fmt"
	"testing"

	"github.com/andon-cd/andon/e2e/planttest"
)

// What nearly every scenario uses has its short name.
type (
	result  = planttest.Result
	process = planttest.Process
	files   = planttest.Files
)

// The exit codes of the contract for scripts.
const (
	done        = planttest.Done
	failed      = planttest.Failed
	misused     = planttest.Misused
	refused     = planttest.Refused
	unreachable = planttest.Unreachable
	timedOut    = planttest.TimedOut
)

var (
	execute       = planttest.Execute
	environmentIn = planttest.EnvironmentIn
	newHome       = planttest.NewHome
	processesOf   = planttest.ProcessesOf
	with          = planttest.With
	kill          = planttest.Kill
)

// until asks again and again until the answer is no error. It says nothing of how long that takes.
func until(t testing.TB, what string, ask func() error) {
	t.Helper()
	planttest.Until(t, planttest.Patience, what, ask)
}

// A plant is one with the questions of the scenarios.
type plant struct{ *planttest.Plant }

// newPlant returns a plant that was never started, on ports of its choice.
func newPlant(t *testing.T, options ...string) *plant {
	t.Helper()
	return &plant{planttest.New(t, options...)}
}

// startPlant returns a plant that is ready, and ends it with the test.
func startPlant(t *testing.T, options ...string) *plant {
	t.Helper()
	return &plant{planttest.Start(t, options...)}
}

// startFixedPlant is startPlant on ports that stay the same when the server starts again.
func startFixedPlant(t *testing.T, options ...string) *plant {
	t.Helper()
	return &plant{planttest.StartFixed(t, options...)}
}

// A repository is one whose plant has the questions of the scenarios.
type repository struct {
	*planttest.Repository
	plant *plant
}

// newRepository returns an empty repository that git can push to the plant.
func (p *plant) newRepository(service string) *repository {
	p.T.Helper()
	return &repository{p.NewRepository(service), p}
}

// newShop returns a repository of the shop with its first commit, and edits of its pipeline.
func (p *plant) newShop(edits ...string) *repository {
	p.T.Helper()
	return &repository{p.NewShop(edits...), p}
}

// promote lets a version into production whose stage waits for a person.
func (r *repository) promote(version int64) {
	r.T.Helper()
	r.plant.Wait(r.Ref(version), "certified")
	r.plant.Andon("promote", r.Service, fmt.Sprint(version), "production").Wants(r.T, done, "andon promote")
}
