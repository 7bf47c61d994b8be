package e2e

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/andon-cd/andon/e2e/planttest"
	"github.com/andon-cd/andon/internal/platform/docker/dockertest"
)

// startEngine starts a Docker Engine of the test's own, with no network, or says why there is none.
func startEngine(t *testing.T, flags ...string) (*dockertest.Engine, error) {
	t.Helper()
	if why := dockertest.Missing(); why != "" {
		return nil, errors.New(why)
	}
	e, err := dockertest.Start(filepath.Join(newHome(t), "engine"), flags...)
	return ending(t, e, err), nil
}

// ending has a test end an engine that it started.
func ending(t *testing.T, e *dockertest.Engine, err error) *dockertest.Engine {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Stop(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// newEngine is startEngine for a test that is skipped without one.
func newEngine(t *testing.T, flags ...string) *dockertest.Engine {
	t.Helper()
	e, err := startEngine(t, flags...)
	if err != nil {
		t.Skip(err)
	}
	return e
}

// newPodman starts a Podman of the test's own.
func newPodman(t *testing.T) *dockertest.Engine {
	t.Helper()
	if why := dockertest.MissingPodman(); why != "" {
		t.Skip(why)
	}
	e, err := dockertest.StartPodman(filepath.Join(newHome(t), "engine"))
	return ending(t, e, err)
}

// sweepEngines ends what a run that was killed has left of its Engines.
func sweepEngines(dir string) {
	engines, _ := filepath.Glob(filepath.Join(dir, "h*", "engine"))
	for _, engine := range engines {
		dockertest.Sweep(engine)
	}
}

// newContainedShop is newShop with a program that a container has, too. OWNER lets the reaper find
// its containers.
func (p *plant) newContainedShop(edits ...string) *repository {
	p.T.Helper()
	return p.newShop(append(edits,
		"command: ["+planttest.Shopd(p.T)+"]", "command: [./shopd]\n  env: {OWNER: "+p.Home+"}",
		"steps: [sh ./test.sh]", "steps: [\"cp "+planttest.Shopd(p.T)+" files/shopd\"]")...)
}
