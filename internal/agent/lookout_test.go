package agent

import (
	"errors"
	"fmt"
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

// switching is a place whose route goes from one copy elsewhere to others.
type switching struct {
	*world
	at map[andon.InstanceID]string
}

func (w switching) route(generation int64, copies []andon.Copy, to ...andon.InstanceID) {
	d := desired(generation, copies, to...)
	d.Route.Edges = []andon.AgentName{"local"}
	w.plant.setFar(w.at, d)
}

// newSwitching has copies elsewhere of which the first is well, and has the traffic.
func newSwitching(t *testing.T) (w switching, old, next, other andon.Copy) {
	w = switching{newWorld(t), map[andon.InstanceID]string{}}
	copies := []andon.Copy{copyOf("g1", 0), copyOf("g2", 0), copyOf("g2", 1)}
	for i := range copies {
		copies[i].Agent = "web-2"
		address := fmt.Sprint("192.0.2.2:2000", i)
		w.at[copies[i].ID] = address
		w.probes(address, errors.New("connection refused"))
	}
	w.probes("192.0.2.2:20000", nil)
	w.route(1, copies[:1], copies[0].ID)
	w.agent()
	after(time.Second)
	w.route(2, copies, copies[0].ID)
	after(time.Minute)
	w.wantTargets(copies[0].ID)
	return w, copies[0], copies[1], copies[2]
}

func TestLookout_CopyKeepsTheTrafficWhileNoneOfThoseThatAreToHaveItIsReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, old, next, _ := newSwitching(t)
		w.route(3, []andon.Copy{old, next}, next.ID)
		after(time.Minute)
		w.wantTargets(old.ID)
		if r := w.plant.route(); r.Generation != 3 {
			t.Errorf("the server was told of the route %+v", r)
		}
		w.probes("192.0.2.2:20001", nil)
		after(next.Spec.Health.Interval)
		w.wantTargets(next.ID)
		for _, routes := range w.traffic.changes()[2:] {
			if len(routes) == 1 && len(routes[0].Targets) == 0 {
				t.Errorf("nobody took requests: %+v", routes)
			}
		}
		// One that was reached and is not well any more does not bring the old one back, and has the
		// requests as long as nobody else can take them.
		w.probes("192.0.2.2:20001", errors.New("no answer in time"))
		after(2 * next.Spec.Health.Interval)
		w.wantTargets(next.ID)
	})
}

func TestLookout_AsksAtOnceWhoeverIsToHaveTheTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, old, next, other := newSwitching(t)
		// One is well now, as its own agent found; the next probe would come a while later.
		w.probes("192.0.2.2:20001", nil)
		w.route(3, []andon.Copy{old, next, other}, next.ID, other.ID)
		after(10 * time.Millisecond)
		w.wantTargets(next.ID)
	})
}

func TestRouter_CopiesThatAllSeemUnwellKeepTheTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d, here, far := farPlace(w, 1)
		w.plant.setFar(map[andon.InstanceID]string{far.ID: "192.0.2.2:20001"}, d)
		w.agent()
		after(time.Second)
		w.wantTargets(here.ID, far.ID)
		late := errors.New("no answer in time")
		w.probes("192.0.2.2:20001", late)
		after(far.Spec.Health.Interval)
		w.wantTargets(here.ID)
		w.infect(here.ID, late)
		after(here.Spec.Health.Interval)
		w.wantTargets(here.ID, far.ID)
		w.probes("192.0.2.2:20001", nil)
		after(far.Spec.Health.Interval)
		w.wantTargets(far.ID)
	})
}
