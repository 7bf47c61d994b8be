package web

import (
	"bytes"
	"context"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

// A wall is a board: that of the whole plant, or of one team.
type wall struct {
	*pages
	team andon.TeamName // empty: all services

	// The sheet of the wall has it drawn one at a time.
	figures counter
	columns []andon.EnvironmentName
	shown   map[andon.ServiceName]bool // the services that it has rows of
}

// A board is what the big screen shows: its frame, into which the drawn parts come.
type board struct {
	Edition      string
	Live         string // the path of its stream
	Team         andon.TeamName
	Environments []andon.EnvironmentName
	Above        []template.HTML // the rows
	Rows         []template.HTML
	Size         string // how many rows there are, in words of the style sheet
}

// The IDs of the parts that belong to no service. Names of services begin with a letter, so that
// rowPrefix keeps the rest apart.
const (
	partHead  = "head"
	partStops = "stops"
	partTeams = "teams"
	rowPrefix = "row-"
)

func (p *pages) showBoard(w http.ResponseWriter, r *http.Request) {
	team, turns, err := readTeam(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	names, err := p.teams(r.Context())
	switch known := team == "" || slices.Contains(names, team); {
	case err != nil:
		p.fail(w, r, err)
	case turns && len(names) > 0 && (team == "" || !known):
		p.turnBoard(w, r)
	case !known && !turns:
		p.fail(w, r, errNoTeam(team))
	case !known:
		p.show(w, r, p.wall(""))
	default:
		p.show(w, r, p.wall(team))
	}
}

func errNoTeam(team andon.TeamName) *andon.Error {
	return andon.Errorf(andon.KindNotFound, "No service is of team %s.", team).WithHint("Write team: %s in the andon.yaml of its services.", team)
}

func (p *pages) followBoard(w http.ResponseWriter, r *http.Request) {
	team, _, err := readTeam(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.follow(w, r, p.wall(team))
}

// wall returns the sheet of a board. That of all services is always kept.
func (p *pages) wall(team andon.TeamName) *sheet {
	if team == "" {
		return p.sheet
	}
	return p.sheets.of("/board?team="+string(team), func() *sheet { return p.newWall(team) })
}

func (p *pages) newWall(team andon.TeamName) *sheet {
	w := &wall{pages: p, team: team}
	return &sheet{engine: p.Engine, epoch: p.sheets.epoch, draw: w.draw, frame: w.frame}
}

// frame draws the page around the parts.
func (w *wall) frame(parts []drawn, edition string) ([]byte, error) {
	b := board{Edition: edition, Live: "/board/live", Team: w.team, Environments: w.columns}
	if w.team != "" {
		b.Live += "?team=" + string(w.team)
	}
	for _, part := range parts {
		if strings.HasPrefix(part.id, rowPrefix) {
			b.Rows = append(b.Rows, part.html)
		} else {
			b.Above = append(b.Above, part.html)
		}
	}
	b.Size = size(len(b.Rows))
	var page bytes.Buffer
	err := w.board.ExecuteTemplate(&page, "frame", b)
	return page.Bytes(), err
}

// mostStops is how many stops the board tells of; the queue has all.
const mostStops = 10

// size says how dense a board of so many services must be.
func size(rows int) string {
	switch {
	case rows <= 3:
		return "one"
	case rows <= 6:
		return "few"
	case rows <= 16:
		return "some"
	case rows <= 40:
		return "many"
	default:
		return "crowd"
	}
}

// draw draws the parts of the board that are asked for. The sheet calls it one at a time.
func (w *wall) draw(ctx context.Context, services map[andon.ServiceName]bool, everything bool) ([]drawn, error) {
	h := head{Team: w.team}
	var rows []row
	same := true
	err := w.Engine.View(ctx, func(s *line.State) {
		if everything {
			w.columns = s.EnvironmentsInOrder()
			w.shown, services = map[andon.ServiceName]bool{}, map[andon.ServiceName]bool{}
			for name, service := range s.Services {
				if of(w.team, service) {
					w.shown[name], services[name] = true, true
				}
			}
		}
		h.read(s, w.shown)
		for _, name := range slices.Sorted(maps.Keys(services)) {
			service := s.Services[name]
			shown := of(w.team, service)
			same = same && shown == w.shown[name]
			if shown {
				rows = append(rows, readRow(s, service, w.columns, w.Engine.Now()))
			}
		}
	})
	switch {
	case err != nil:
		return nil, err
	case !same:
		return nil, errOtherParts
	case w.team != "" && len(w.shown) == 0:
		return nil, errNoTeam(w.team)
	}
	late := w.caughtUp(ctx, w.Engine.Head())
	if h.Figures, err = w.figures.of(ctx, w.History, w.Engine.Now()); err != nil {
		return nil, err
	}
	parts := []drawn{part(w.board, partHead, "head", h), part(w.board, partStops, "stops", h), part(w.board, partTeams, "teams", h)}
	for _, r := range rows {
		parts = append(parts, part(w.board, rowPrefix+string(r.Service), "row", r))
	}
	return parts, late
}

// A head is what is above the rows: how the whole plant does.
type head struct {
	Team     andon.TeamName   // of the board; empty: all
	Teams    []andon.TeamName // that there are
	Services int              // on the board
	Stops    []stop           // anywhere, first those that stop a service on the board, the newest first
	Own      int              // of the stops: those that stop one
	Away     []away
	Refused  *refusedEstate
	Figures  figures
}

// A stop is a cord that is pulled.
type stop struct {
	andon.Cord
	// Fixes says what releases it by itself; empty: only a person does.
	Fixes string
	// Author made the version that stopped the line; empty: none did, or it is not known any more.
	Author string
	// Elsewhere says that it stops no service of the board.
	Elsewhere bool
}

// An away host is one that is not connected.
type away struct {
	Agent  andon.AgentName
	Since  time.Time
	Reason string
}

// A refusedEstate is the newest commit of the estate that is followed, when it cannot be applied.
type refusedEstate struct {
	Commit  andon.CommitID
	At      time.Time
	Problem *andon.Error // the first
	More    int          // problems besides
}

// State says how the lines on the board do, in the word of the style sheet.
func (h head) State() string { return stateOf(h.Own) }

// Alarm says how the line does anywhere: it is what the icon of the page shows.
func (h head) Alarm() string { return stateOf(len(h.Stops)) }

// Shown returns the stops that the board tells of, so that its rows keep room: the newest, which
// nobody may have seen yet. The queue begins with the oldest.
func (h head) Shown() []stop { return h.Stops[:min(len(h.Stops), mostStops)] }

// MoreStops returns how many stops there are besides.
func (h head) MoreStops() int { return len(h.Stops) - len(h.Shown()) }

// Elsewhere returns how many stops there are that stop no service of the board.
func (h head) Elsewhere() int { return len(h.Stops) - h.Own }

func stateOf(stops int) string {
	if stops > 0 {
		return "stopped"
	}
	return "running"
}

// read reads the head of a board that shows these services.
func (h *head) read(s *line.State, shown map[andon.ServiceName]bool) {
	h.Services, h.Teams = len(shown), teams(s)
	for _, c := range slices.Backward(s.Cords) {
		st := readStop(c)
		if c.Fix != nil {
			if broken := s.Version(andon.VersionRef{Service: c.Fix.Service, Number: c.Fix.Broken}); broken != nil {
				st.Author = broken.Author
			}
		}
		st.Elsewhere = h.Team != "" && c.Scope.Kind == andon.ScopeService && !shown[c.Scope.Service]
		if !st.Elsewhere {
			h.Own++
		}
		h.Stops = append(h.Stops, st)
	}
	slices.SortStableFunc(h.Stops, func(a, b stop) int {
		if a.Elsewhere == b.Elsewhere {
			return 0
		}
		if b.Elsewhere {
			return -1
		}
		return 1
	})
	for _, name := range slices.Sorted(maps.Keys(s.Agents)) {
		if a := s.Agents[name]; a.Lost {
			h.Away = append(h.Away, away{name, a.Since, a.Reason})
		}
	}
	if s.Followed != nil && s.Followed.Refused != nil {
		r := s.Followed.Refused
		h.Refused = &refusedEstate{Commit: r.Commit, At: r.At}
		if len(r.Problems) > 0 {
			h.Refused.Problem, h.Refused.More = r.Problems[0], len(r.Problems)-1
		}
	}
}

func readStop(c *line.Cord) stop {
	st := stop{Cord: c.Cord}
	if c.Fix != nil {
		st.Fixes = "the first version of " + string(c.Fix.Service) + " after " + c.Fix.After.String() + " that passes " + string(c.Fix.Stage)
	}
	return st
}
