package git

import (
	"context"
	"fmt"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/engine"
	"github.com/andon-cd/andon/internal/form"
	"github.com/andon-cd/andon/internal/line"
)

// explain returns what is wrong with the tip of a branch.
func explain(service andon.ServiceName, m move, problems []*andon.Error) string {
	branch, _ := m.branch()
	return fmt.Sprintf("andon: refused: commit %s of %s cannot become a version of %s\n\n", m.new.Short(), branch, service) +
		form.Format(problems) + "\n"
}

// tell returns what the pusher reads of a branch that the line has taken.
func (p *push) tell(ctx context.Context, announced line.Push, result engine.Result) string {
	v := andon.VersionRef{Service: p.service}
	reached, added := false, false
	for _, event := range result.Events {
		switch body := event.Body.(type) {
		case andon.VersionCreated:
			v = body.Version
		case andon.ServiceAdded:
			added = true
		case andon.VersionReachedTrunk:
			v, reached = body.Version, true
		}
	}
	var cord *andon.Cord
	known, promoted := false, false
	// Without the state, the pusher reads less; the push is taken all the same.
	_ = p.git.Engine.View(ctx, func(s *line.State) {
		if service, ok := s.Services[p.service]; ok && v.Number == 0 {
			for _, version := range service.Versions {
				if version.Commit == announced.Commit && version.Ref.Number > v.Number {
					v, known, promoted = version.Ref, true, version.Trunk
				}
			}
		}
		for _, c := range s.Cords {
			if c.Scope.Covers(p.service, "") && cord == nil {
				pulled := c.Cord
				cord = &pulled
			}
		}
	})
	if v.Number == 0 {
		return ""
	}
	var b strings.Builder
	trunk := announced.Branch == p.trunk
	switch {
	case known:
		fmt.Fprintf(&b, "andon: %s: this commit is known, and not built again\n", v)
	case reached:
		fmt.Fprintf(&b, "andon: %s: reached %s; it is not built again\n", v, p.trunk)
	default:
		fmt.Fprintf(&b, "andon: %s: commit stage started\n", v)
	}
	if added {
		fmt.Fprintf(&b, "andon: %s is new; its trunk is %s: what is pushed there goes the whole way\n", p.service, p.trunk)
	}
	if !trunk && promoted {
		fmt.Fprintf(&b, "andon: it is on the trunk, %s, too, and promoted from there\n", p.trunk)
	} else if !trunk {
		fmt.Fprintf(&b, "andon: it is built, and not promoted: %s is not the trunk, %s\n", announced.Branch, p.trunk)
	}
	if trunk && cord != nil {
		fmt.Fprintf(&b, "andon: the line is stopped (%s: %s); see `andon why %s`\n", cord.ID, cord.Reason, p.service)
	}
	fmt.Fprintf(&b, "andon: andon wait %s@%d --for %s\n", v.Service, v.Number, goal(announced.Pipeline, trunk))
	fmt.Fprintf(&b, "andon: %s/services/%s/versions/%d\n", p.git.Address(), v.Service, v.Number)
	return b.String()
}

// goal returns what to wait for: the end of a version's way.
func goal(p *andon.Pipeline, trunk bool) string {
	if !trunk || p == nil {
		return "built"
	}
	want := "built"
	for _, stage := range p.Stages {
		if stage.Grants != "" {
			want = string(stage.Grants)
		}
	}
	for _, stage := range p.Stages {
		if stage.Deploy != "" {
			want = "live:" + string(stage.Deploy)
		}
	}
	return want
}
