package agent

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// farPlace returns a place with one copy here and one on another host, whose route this agent keeps.
func farPlace(w *world, generation int64) (andon.Desired, andon.Copy, andon.Copy) {
	here, far := copyOf("g1", 0), copyOf("g1", 1)
	far.Agent = "web-2"
	d := desired(generation, []andon.Copy{here, far}, here.ID, far.ID)
	d.Route.Edges = []andon.AgentName{"local"}
	w.probes("192.0.2.2:20001", nil)
	return d, here, far
}

func TestLookout_RoutesACopyElsewhereOnceItFoundItWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d, here, far := farPlace(w, 1)
		w.probes("192.0.2.2:20001", errors.New("connection refused"))
		w.plant.setFar(map[andon.InstanceID]string{far.ID: "192.0.2.2:20001"}, d)
		w.agent()
		after(10 * time.Second)
		w.wantTargets(here.ID)
		w.probes("192.0.2.2:20001", nil)
		after(far.Spec.Health.Interval)
		w.wantTargets(here.ID, far.ID)
		if s, told := w.plant.observed()[far.ID]; told {
			t.Errorf("the agent attests a copy of another host: %v", s)
		}
	})
}

func TestLookout_CopyThatIsCutOffLeavesWithinIntervalAndTimeoutAlsoWithoutTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d, here, far := farPlace(w, 1)
		w.plant.setFar(map[andon.InstanceID]string{far.ID: "192.0.2.2:20001"}, d)
		stop := w.agent()
		after(time.Second)
		w.wantTargets(here.ID, far.ID)
		w.plant.fail(errDown)
		w.probes("192.0.2.2:20001", errors.New("no answer in time"))
		after(far.Spec.Health.Interval)
		w.wantTargets(here.ID)
		w.probes("192.0.2.2:20001", nil)
		after(far.Spec.Health.Interval)
		w.wantTargets(here.ID, far.ID)
		// The next agent knows where the copy listens, and leaves the traffic as it is.
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		changes := w.traffic.changes()
		w.agent()
		after(5 * time.Second)
		w.wantTargets(here.ID, far.ID)
		for _, routes := range w.traffic.changes()[len(changes):] {
			if len(routes) != 1 || len(routes[0].Targets) != 2 {
				t.Errorf("the next agent began with the routes %+v", routes)
			}
		}
	})
}

func TestLookout_CopyThatMovedIsRoutedAtItsNewAddressAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d, here, far := farPlace(w, 1)
		w.plant.setFar(map[andon.InstanceID]string{far.ID: "192.0.2.2:20001"}, d)
		w.agent()
		after(time.Second)
		w.probes("192.0.2.2:20002", errors.New("connection refused"))
		w.plant.setFar(map[andon.InstanceID]string{far.ID: "192.0.2.2:20002"}, d)
		after(time.Second)
		w.wantTargets(here.ID)
		w.probes("192.0.2.2:20002", nil)
		after(far.Spec.Health.Interval)
		w.wantTargets(here.ID, far.ID)
	})
}

func TestRouter_HostThatIsNoEdgeKeepsNoRoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := copyOf("g1", 0)
		d := desired(1, []andon.Copy{c}, c.ID)
		d.Route.Edges = []andon.AgentName{"edge"}
		w.plant.set(nil, d)
		w.agent()
		after(5 * time.Second)
		w.wantPhases(string(c.ID) + "=healthy")
		w.wantTargets()
	})
}

func TestLookout_CopiesKeepTheTrafficUntilTheHostHasReachedThoseThatAreToHaveIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		old, next := copyOf("g1", 0), copyOf("g2", 0)
		old.Agent, next.Agent = "web-2", "web-2"
		w.probes("192.0.2.2:20001", nil)
		w.probes("192.0.2.2:20002", errors.New("connection refused"))
		at := map[andon.InstanceID]string{old.ID: "192.0.2.2:20001", next.ID: "192.0.2.2:20002"}
		route := func(generation int64, copies []andon.Copy, to andon.InstanceID) {
			d := desired(generation, copies, to)
			d.Route.Edges = []andon.AgentName{"local"}
			w.plant.setFar(at, d)
		}
		route(1, []andon.Copy{old}, old.ID)
		w.agent()
		after(time.Second)
		route(2, []andon.Copy{old, next}, old.ID)
		after(time.Minute)
		w.wantTargets(old.ID)
		// The copy is well now, as its own agent found, and this host will at its next probe.
		w.probes("192.0.2.2:20002", nil)
		route(3, []andon.Copy{old, next}, next.ID)
		after(10 * time.Millisecond)
		w.wantTargets(old.ID)
		if r := w.plant.route(); r.Generation != 3 {
			t.Errorf("the server was told of the route %+v", r)
		}
		after(next.Spec.Health.Interval)
		w.wantTargets(next.ID)
		for _, routes := range w.traffic.changes()[2:] {
			if len(routes) == 1 && len(routes[0].Targets) == 0 {
				t.Errorf("nobody took requests: %+v", routes)
			}
		}
		// A copy that was reached and is not well any more does not bring the old ones back.
		w.probes("192.0.2.2:20002", errors.New("no answer in time"))
		after(2 * next.Spec.Health.Interval)
		w.wantTargets()
	})
}
