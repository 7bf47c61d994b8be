package web

import (
	"context"
	"net/http"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/line"
)

// mostHeld bounds what the queue shows of one cause, and mostCauses the causes.
const (
	mostHeld   = 50
	mostCauses = 100
)

// A queuePage is everything that does not move, by what it waits for in the end.
type queuePage struct {
	Now    time.Time
	State  string
	Causes []cause
	More   int          // causes that are not shown
	Held   int          // things, of all causes
	Idle   []andon.Cord // pulled, and nothing waits for them
	Moving int
}

// A cause is what things wait for in the end.
type cause struct {
	line.Cause
	history.Expectation
	Unblock wayOn
	Held    []held
	More    int
}

// held is one thing that waits.
type held struct {
	line.Reason
	Path    string
	Unblock wayOn // of this thing alone
	Further bool  // its chain says more than the cause does
}

// handleQueue serves the queue.
func (p *pages) handleQueue(mux *http.ServeMux) {
	page := livePage{
		path: "/queue", title: "Queue", class: "queue", template: parse("live.html", "queue.html"), parts: []string{"queue"},
		about: func(map[andon.ServiceName]bool) bool { return true },
		read:  func(ctx context.Context) (any, error) { return p.readQueue(ctx) },
	}
	p.handleLive(mux, page.path, func(*http.Request) (livePage, error) { return page, nil })
}

func (p *pages) readQueue(ctx context.Context) (page queuePage, err error) {
	page.Now, page.State = p.Engine.Now(), "running"
	err = p.Engine.View(ctx, func(s *line.State) {
		if len(s.Cords) > 0 {
			page.State = "stopped"
		}
		var causes []line.Cause
		causes, page.Moving = s.Causes(page.Now)
		page.More = max(0, len(causes)-mostCauses)
		things := map[string]bool{} // one may be held by two cords
		for i, c := range causes {
			for _, r := range c.Held {
				things[pathOf(r.Wait)] = true
			}
			if i < mostCauses {
				page.Causes = append(page.Causes, causeOf(s, c))
			}
		}
		page.Held, page.Idle = len(things), idle(s, causes)
	})
	for i, c := range page.Causes {
		if err == nil {
			page.Causes[i].Expectation, err = p.History.Expect(ctx, c.Wait, c.Deployment, c.Started)
		}
	}
	return page, err
}

// idle returns the cords that hold nothing: what they would hold is not on its way.
func idle(s *line.State, causes []line.Cause) (cords []andon.Cord) {
	holding := map[string]bool{}
	for _, c := range causes {
		holding[c.On] = true
	}
	for _, c := range s.Cords {
		if !holding[string(c.ID)] && len(cords) < mostCauses {
			cords = append(cords, c.Cord)
		}
	}
	return cords
}

func causeOf(s *line.State, c line.Cause) cause {
	out := cause{Cause: c, Unblock: wayOut(s, c.Wait), More: max(0, len(c.Held)-mostHeld)}
	for _, r := range c.Held[:min(len(c.Held), mostHeld)] {
		h := held{Reason: r, Path: pathOf(r.Wait), Further: len(r.Because) > 0 || c.Kind != andon.WaitApproval && r.Reason != c.Reason}
		if c.Kind == andon.WaitApproval {
			h.Unblock = wayOut(s, r.Root())
		}
		out.Held = append(out.Held, h)
	}
	if c.Kind == andon.WaitApproval { // each has its own
		out.Unblock = wayOn{}
	}
	return out
}

// pathOf leads to what a wait is about.
func pathOf(w andon.Wait) string {
	switch {
	case w.Deployment != "":
		return deploymentPath(w.Service, w.Deployment)
	case w.Version > 0:
		return versionPath(andon.VersionRef{Service: w.Service, Number: w.Version})
	default:
		return servicePath(w.Service)
	}
}

// Title says what a cause is, in words that need no knowledge of what is below it.
func (c cause) Title() string {
	switch {
	case c.GoesOn:
		return "It goes on, and others wait their turn"
	case c.Kind == andon.WaitApproval:
		return "Waits for a person"
	case c.Kind == andon.WaitCord:
		return "The line stands"
	case c.Kind == andon.WaitAgent:
		return "Waits for a host"
	default:
		return "Waits its turn"
	}
}
