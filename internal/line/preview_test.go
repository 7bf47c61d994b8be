package line

import (
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
)

// preview returns what a verb would do. It must not be refused, and change nothing.
func (p *plant) preview(v interface {
	Preview(s *State, by andon.Actor) (Preview, error)
}) Preview {
	p.t.Helper()
	snapshot := func() string {
		b, err := p.s.Snapshot()
		if err != nil {
			p.t.Fatal(err)
		}
		return string(b)
	}
	before := snapshot()
	out, err := v.Preview(p.s, "ada")
	if err != nil {
		p.t.Fatal(err)
	}
	if snapshot() != before {
		p.t.Error("a preview changes the state")
	}
	return out
}

func does(p Preview) string {
	var all []string
	for _, s := range p.Steps() {
		all = append(all, s.Does)
	}
	return strings.Join(all, "\n")
}

func TestPreview_OfARollbackUsesTheWarmGroup(t *testing.T) {
	p := warmPlant(t)
	got := p.preview(Rollback{Place: production})
	if got.Plan.Group != "shop.production.1" || got.Plan.Release.Version != 1 || got.Plan.Previous.Version != 2 || got.Quarantines != 2 || got.Aborts != "" {
		t.Errorf("it would be %+v", got)
	}
	if !strings.HasPrefix(does(got), "use the 2 copies of version 1 again that are still there") {
		t.Errorf("it says %s", does(got))
	}
	p.must(Rollback{Place: production})
	if d := p.place("production").Active; d == nil || d.Plan.Group != got.Plan.Group || d.Plan.ID != got.Plan.ID {
		t.Errorf("it is %+v", d)
	}
}

func TestPreview_OfARollbackInADeploymentSaysWhatItAborts(t *testing.T) {
	p := warmPlant(t)
	p.Push("c")
	p.Until("c is on its way", func() bool { return p.place("production").Active != nil })
	id := p.place("production").Active.Plan.ID
	back := p.preview(Rollback{Place: production})
	if back.Aborts != id || !back.AbortAlone || back.Plan.Release.Version != 2 || back.Quarantines != 3 || back.Plan.Group != p.place("production").Group {
		t.Errorf("the nearest would be %+v", back)
	}
	if got := does(back); !strings.HasPrefix(got, "abort "+string(id)+": version 2,") {
		t.Errorf("it says %s", got)
	}
	far := p.preview(Rollback{Place: production, To: 1})
	if far.Aborts != id || far.AbortAlone || far.Plan.Release.Version != 1 || far.Plan.Previous.Version != 2 {
		t.Errorf("the older would be %+v", far)
	}
	if got := does(far); !strings.HasPrefix(got, "abort "+string(id)+": what was live before it comes back first\n") {
		t.Errorf("it says %s", got)
	}
}

func TestPreview_OfAPromotionIsThePlanOfTheStage(t *testing.T) {
	p := newPlant(t)
	p.pipe.Stages[2].Approval = &andon.Approval{}
	p.Push("a")
	p.Settle()
	version := andon.VersionRef{Service: "shop", Number: 1}
	stage := p.pipe.Stages[2].Name
	got := p.preview(Promote{Version: version, Stage: stage})
	if got.Plan.Release.Version != 1 || got.Plan.Stage != stage || got.Plan.Environment != "production" || len(got.Plan.Agents) == 0 {
		t.Errorf("it would be %+v", got.Plan)
	}
	if _, err := (Promote{Version: version, Stage: p.pipe.Stages[1].Name}).Preview(p.s, "ada"); err == nil {
		t.Error("a stage that cannot be entered has a plan")
	}
}
