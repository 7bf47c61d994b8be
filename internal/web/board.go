package web

import (
	"bytes"
	"cmp"
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

// A board is what the big screen shows: its frame, into which the drawn parts come.
type board struct {
	Edition      string
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
	rowPrefix = "row-"
)

func (p *pages) showBoard(w http.ResponseWriter, r *http.Request) { p.show(w, r, p.sheet) }

func (p *pages) followBoard(w http.ResponseWriter, r *http.Request) { p.follow(w, r, p.sheet) }

// frameBoard draws the page around the parts.
func (p *pages) frameBoard(parts []drawn, edition string) ([]byte, error) {
	b := board{Edition: edition, Environments: p.columns}
	for _, part := range parts {
		if strings.HasPrefix(part.id, rowPrefix) {
			b.Rows = append(b.Rows, part.html)
		} else {
			b.Above = append(b.Above, part.html)
		}
	}
	b.Size = size(len(b.Rows))
	var page bytes.Buffer
	err := p.board.ExecuteTemplate(&page, "frame", b)
	return page.Bytes(), err
}

// size says how dense a board of so many services must be.
func size(rows int) string {
	switch {
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

// drawBoard draws the parts of the board that are asked for. The sheet calls it one at a time.
func (p *pages) drawBoard(ctx context.Context, services map[andon.ServiceName]bool, everything bool) ([]drawn, error) {
	var h head
	var rows []row
	err := p.Engine.View(ctx, func(s *line.State) {
		h.read(s)
		if everything {
			p.columns = columns(s)
			services = map[andon.ServiceName]bool{}
			for name := range s.Services {
				services[name] = true
			}
		}
		for _, name := range slices.Sorted(maps.Keys(services)) {
			if service := s.Services[name]; service != nil {
				rows = append(rows, readRow(s, service, p.columns, p.Proxy(), p.Engine.Now()))
			}
		}
	})
	if err != nil {
		return nil, err
	}
	p.catchUp(ctx, p.Engine.Head())
	if h.Figures, err = p.figures.of(ctx, p.History, p.Engine.Now()); err != nil {
		return nil, err
	}
	parts := []drawn{part(p.board, partHead, "head", h), part(p.board, partStops, "stops", h)}
	for _, r := range rows {
		parts = append(parts, part(p.board, rowPrefix+string(r.Service), "row", r))
	}
	return parts, nil
}

// columns returns the environments in the order in which versions pass them: where they end last.
func columns(s *line.State) []andon.EnvironmentName {
	return slices.SortedFunc(maps.Keys(s.Environments), func(x, y andon.EnvironmentName) int {
		return cmp.Or(cmp.Compare(rank(x), rank(y)), cmp.Compare(x, y))
	})
}

// rank puts production last, where the way ends.
func rank(e andon.EnvironmentName) int {
	if e == "production" {
		return 1
	}
	return 0
}

// A head is what is above the rows: how the whole plant does.
type head struct {
	Services int
	Stops    []stop
	Away     []away
	Figures  figures
}

// A stop is a cord that is pulled.
type stop struct {
	andon.Cord
	// Fixes says what releases it by itself; empty: only a person does.
	Fixes string
}

// An away host is one that is not connected.
type away struct {
	Agent  andon.AgentName
	Since  time.Time
	Reason string
}

// State says how the line does, in the word of the style sheet.
func (h head) State() string {
	if len(h.Stops) > 0 {
		return "stopped"
	}
	return "running"
}

func (h *head) read(s *line.State) {
	h.Services = len(s.Services)
	for _, c := range s.Cords {
		h.Stops = append(h.Stops, readStop(c))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Agents)) {
		if a := s.Agents[name]; a.Lost {
			h.Away = append(h.Away, away{name, a.Since, a.Reason})
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
