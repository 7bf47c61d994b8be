package web

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

// A board is what the big screen shows.
type board struct {
	Position     andon.Seq // that it shows; the page follows the journal from there
	Now          time.Time
	Environments []andon.EnvironmentName
	Rows         []row
	Cords        []andon.Cord
	Waits        []andon.Wait
	Agents       []agent
}

// A row is one service.
type row struct {
	Service andon.ServiceName
	Stopped bool
	Slow    bool
	Newest  *onItsWay
	Places  []place
}

// onItsWay is the newest version of a service.
type onItsWay struct {
	Number   andon.VersionNumber
	Subject  string
	Author   string
	Maturity andon.Maturity
	At       string // the stage that it is in, or how it ended
	Red      bool
}

// A place is a service in one environment.
type place struct {
	Live    andon.VersionNumber // 0: nothing
	Since   time.Time
	URL     string
	Healthy int
	Wanted  int
	Moving  string // what a deployment does there
}

type agent struct {
	Name andon.AgentName
	Lost bool
	Busy int
	Of   int
}

// maxWaits is how many waits the board shows.
const maxWaits = 12

func (p *pages) showBoard(w http.ResponseWriter, r *http.Request) {
	b := board{Position: p.Engine.Head(), Now: p.Engine.Now()}
	if err := p.Engine.View(r.Context(), func(s *line.State) { b.read(s, p.Proxy()) }); err != nil {
		p.fail(w, r, err)
		return
	}
	name := "frame"
	if r.URL.Query().Get("part") == "board" {
		name = "board"
	}
	p.render(w, r, p.board, name, b)
}

// read copies what the board shows from the state.
func (b *board) read(s *line.State, proxy string) {
	b.Environments = slices.SortedFunc(maps.Keys(s.Environments), func(x, y andon.EnvironmentName) int {
		return cmp.Or(cmp.Compare(rank(x), rank(y)), cmp.Compare(x, y))
	})
	for _, cord := range s.Cords {
		b.Cords = append(b.Cords, cord.Cord)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Services)) {
		b.Rows = append(b.Rows, b.row(s, s.Services[name], proxy))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Agents)) {
		a := s.Agents[name]
		b.Agents = append(b.Agents, agent{name, a.Lost, a.Jobs, a.Slots})
	}
	b.Waits = slices.DeleteFunc(s.Waiting(b.Now), func(w andon.Wait) bool { return w.Kind == andon.WaitWarm }) // it holds nothing up
	if len(b.Waits) > maxWaits {
		b.Waits = b.Waits[:maxWaits]
	}
}

// rank puts production last, where the way ends.
func rank(e andon.EnvironmentName) int {
	if e == "production" {
		return 1
	}
	return 0
}

func (b *board) row(s *line.State, service *line.Service, proxy string) row {
	r := row{Service: service.Name}
	for _, cord := range s.Cords {
		r.Stopped = r.Stopped || cord.Scope.Covers(service.Name, "")
	}
	if v := service.Versions[service.Newest]; v != nil {
		r.Newest, r.Slow = newest(v), slow(v)
	}
	for _, env := range b.Environments {
		r.Places = append(r.Places, placeOf(s, andon.Place{Service: service.Name, Environment: env}, proxy))
	}
	return r
}

func newest(v *line.Version) *onItsWay {
	n := &onItsWay{Number: v.Ref.Number, Subject: v.Subject, Author: v.Author, Maturity: v.Maturity}
	switch {
	case v.Ended != nil:
		n.At, n.Red = string(v.Ended.Outcome), v.Ended.Outcome == andon.Failed
	case v.Run != nil:
		n.At = string(v.Run.Stage)
	default:
		n.At = "waiting"
	}
	return n
}

func slow(v *line.Version) bool {
	return slices.ContainsFunc(v.Stages, func(end line.StageEnd) bool { return end.Slow })
}

func placeOf(s *line.State, at andon.Place, proxy string) place {
	known := s.PlaceOf(at)
	if known == nil {
		return place{}
	}
	p := place{Since: known.Since}
	if known.Live != nil {
		p.Live = known.Live.Version
	}
	for _, c := range known.Desired.Copies {
		if known.IsWarm(c.Group) {
			continue
		}
		p.Wanted++
		if record := known.Copies[c.ID]; record != nil && s.Attests(c.Agent) && record.Observed.Phase == andon.PhaseHealthy {
			p.Healthy++
		}
	}
	if route := known.Desired.Route; route != nil && len(route.Hosts) > 0 {
		if _, port, ok := strings.Cut(strings.TrimPrefix(proxy, "http://"), ":"); ok {
			p.URL = "http://" + route.Hosts[0] + ":" + port + "/"
		}
	}
	if known.Active != nil {
		p.Moving = known.Active.Plan.Release.Version.String() + " " + string(known.Active.Step)
	}
	return p
}
