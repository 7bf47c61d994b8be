package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/cli/screen"
)

// A board lays the plant out in lines. State is told by a word, a shape and a colour, and the
// colours are those that people tell apart who do not see red and green.
type board struct {
	api.Status
	team   string
	now    time.Time
	today  *api.Today // nil: not known yet
	shapes func(string) string
	palette

	hidden int // how many environments table had no room for, to the right
}

// boardColours are the palette of a board, and the shapes that its terminal can show.
type boardColours struct {
	palette
	shapes func(string) string
}

func newBoard(s api.Status, team string, now time.Time, colours boardColours) *board {
	return &board{Status: s, team: team, now: now, shapes: colours.shapes, palette: colours.palette}
}

// drawBoard returns the lines of a terminal with a board: what stands and the headings stay, the
// services move below them.
func drawBoard(s *sight, team string, today *api.Today, w *window, now time.Time, colours boardColours) []string {
	b := newBoard(s.Status, team, s.now(now), colours)
	b.today = today
	rows := b.table(w)
	above := slices.Concat(b.head(w.width), b.alarms(w.width, w.height/3), rows[:1])
	rows = rows[1:]
	var more []string
	if b.hidden > 0 || w.left > 0 {
		more = append(more, fmt.Sprintf("←→ %s more", count(b.hidden+w.left, "environment", "environments")))
	}
	var below []string
	if w.height >= leastForFooter {
		w.frame(above, rows, []string{""}) // so that the footer knows what is seen
		below = []string{footer(s, w, len(rows), now, b.palette, more...)}
	}
	lines := w.frame(above, rows, below)
	for i := range lines {
		lines[i] = screen.Cut(b.shapes(lines[i]), w.width)
	}
	return lines
}

// leastForFooter is how many lines a terminal must have for one that says what keys do.
const leastForFooter = 4

// boardPalette returns the colours with the shapes of the terminal.
func (t *terminal) boardPalette(p palette) boardColours {
	locale := first(t.getenv("LC_ALL"), t.getenv("LC_CTYPE"), t.getenv("LANG"))
	if upper := strings.ToUpper(locale); locale == "" || strings.Contains(upper, "UTF-8") || strings.Contains(upper, "UTF8") {
		return boardColours{p, func(s string) string { return s }}
	}
	return boardColours{p, ascii}
}

// ascii returns a line for a terminal that has no other characters.
func ascii(line string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 {
			return r
		}
		if i := strings.IndexRune(asciiFrom, r); i >= 0 {
			return rune(asciiTo[len([]rune(asciiFrom[:i]))])
		}
		return '?'
	}, line)
}

// Shapes, and what stands for them in ASCII.
const (
	asciiFrom = "●▲■◆‖▸→↶✕–·…↑↓←"
	asciiTo   = "*!#~=>><x--~^v<"
)

// head returns how the whole plant does, in as few lines as fit.
func (b *board) head(width int) []string {
	state := b.light(b.Line, map[api.LineState]string{
		api.Running: "The line runs", api.Slow: "The line runs slowly",
		api.Stopped: "The line stands: " + count(len(b.Cords), "cord is", "cords are") + " pulled",
	}[b.Line])
	var figures []string
	if b.team != "" {
		figures = append(figures, "team "+b.team)
	}
	if t := b.today; t != nil {
		lead := "lead time –"
		if t.Changes > 0 {
			lead = "lead time " + span(milliseconds(t.LeadMS))
		}
		figures = append(figures, fmt.Sprintf("%d deployed today", t.Deployments), fmt.Sprintf("%d requests lost", t.Lost), lead)
	}
	figures = append(figures, count(len(b.own()), "service", "services"), b.now.Local().Format("15:04:05"))
	text := strings.Join(figures, " · ")
	if gap := width - screen.Width(state) - screen.Width(text); gap >= 2 {
		return []string{state + strings.Repeat(" ", gap) + text, ""}
	}
	return []string{state, text, ""}
}

// light returns a text with the shape and colour of a state.
func (b *board) light(state api.LineState, text string) string {
	switch state {
	case api.Stopped:
		return b.wrap("1;7;31", "■ "+text)
	case api.Slow:
		return b.wrap("1;33", "▲ "+text)
	default:
		return b.cyan("● " + text)
	}
}

// alarmLines is how many lines one cord takes when there is room.
const alarmLines = 2

// alarms returns what stands, wherever it does, and what else people must know, in at most so many
// lines.
func (b *board) alarms(width, most int) []string {
	var lines []string
	brief := alarmLines*len(b.Cords)+len(b.away())+1 > most
	for i, cord := range b.Cords {
		if i >= most-1 && len(b.Cords) > most {
			lines = append(lines, fmt.Sprintf("  and %d more: see andon why", len(b.Cords)-i))
			break
		}
		what := fmt.Sprintf("■ %s stands %s, %s", scopeWords(cord.Scope), age(b.now.Sub(cord.Pulled)), cordOwner(cord))
		if brief {
			lines = append(lines, b.red(screen.Cut(what+": "+oneLine(cord.Reason), width)))
			continue
		}
		lines = append(lines, b.red(screen.Cut(what, width)), screen.Cut("  "+oneLine(cord.Reason), width))
	}
	if r := b.Refused; r != nil {
		text := fmt.Sprintf("▲ commit %s of the estate was refused %s ago", short(r.Commit), age(b.now.Sub(r.At)))
		if len(r.Problems) > 0 {
			text += ": " + oneLine(r.Problems[0].Error())
		}
		lines = append(lines, b.yellow(screen.Cut(text, width)))
	}
	for _, a := range b.away() {
		text := fmt.Sprintf("◆ agent %s is away %s", a.Name, age(b.now.Sub(a.Since)))
		if a.Reason != "" {
			text += ": " + oneLine(a.Reason)
		}
		lines = append(lines, b.yellow(screen.Cut(text, width)))
	}
	if len(lines) > max(1, most) {
		lines = append(lines[:max(1, most)-1], fmt.Sprintf("  and %d more: see andon status", len(lines)-max(1, most)+1))
	}
	if len(lines) > 0 {
		lines = append(lines, "")
	}
	return lines
}

// cordOwner says who pulled a cord, and whose change did if one did.
func cordOwner(c api.Cord) string {
	if c.Fix != nil && c.Fix.Broken > 0 {
		text := fmt.Sprintf("broken by %s %d", c.Fix.Service, c.Fix.Broken)
		if c.Fix.Author != "" {
			text += " of " + person(c.Fix.Author)
		}
		return text
	}
	return "pulled by " + oneLine(c.Owner)
}

// oneLine returns text that others wrote as one line that a terminal can be given.
func oneLine(s string) string {
	return printable(strings.Join(strings.Fields(s), " "))
}

// person returns the name of an author without the address.
func person(author string) string {
	name, _, _ := strings.Cut(author, " <")
	return oneLine(name)
}

func (b *board) away() (away []api.Agent) {
	for _, a := range b.Agents {
		if !a.Connected {
			away = append(away, a)
		}
	}
	return away
}

// own returns the services that the board shows: those that stand first, then those that are slow.
func (b *board) own() []api.ServiceStatus {
	var own []api.ServiceStatus
	for _, s := range b.Services {
		if b.team == "" || s.Team == b.team {
			own = append(own, s)
		}
	}
	states := api.LineStates()
	slices.SortStableFunc(own, func(x, y api.ServiceStatus) int {
		return cmp.Compare(slices.Index(states, y.Line), slices.Index(states, x.Line))
	})
	return own
}

// Columns of the table, in cells.
const (
	columnGap    = 2
	widestName   = 24
	stateColumn  = 9 // "■ stopped"
	widestPlace  = 36
	leastPlace   = 18 // of a column that is cut so that it fits
	leastForWays = 36 // what is on its way gets lines of its own where there is less room
	mostWays     = 3
)

// table returns the rows of the services, the first of them the headings, from the environment on
// that the window's left is.
func (b *board) table(w *window) []string {
	services := b.own()
	switch {
	case len(services) == 0 && b.team != "":
		return []string{"No service is of team " + b.team + " now."}
	case len(services) == 0:
		return []string{"No service yet. In a repository: `andon init`, commit, and push it here."}
	}
	name := len("SERVICE")
	for _, s := range services {
		name = max(name, min(screen.Width(s.Service), widestName))
	}
	w.left = max(0, min(w.left, len(b.Environments)-1))
	columns, used := b.columns(services, w.left, w.width-name-stateColumn-2*columnGap)
	used += name + stateColumn + columnGap
	b.hidden = len(b.Environments) - w.left - len(columns)
	rest := w.width - used - columnGap
	beside := rest >= leastForWays

	gap := strings.Repeat(" ", columnGap)
	heading := screen.Pad("SERVICE", name) + gap + screen.Pad("LINE", stateColumn)
	for _, c := range columns {
		heading += gap + screen.Pad(strings.ToUpper(c.environment), c.width)
	}
	if beside {
		heading += gap + "ON ITS WAY"
	}
	rows := []string{b.faint(strings.TrimRight(heading, " "))}
	for _, s := range services {
		row := screen.Pad(b.bold(s.Service), name) + gap + screen.Pad(b.light(s.Line, string(s.Line)), stateColumn)
		for _, c := range columns {
			row += gap + screen.Pad(b.place(s, c.environment), c.width)
		}
		ways := b.ways(s)
		indent := strings.Repeat(" ", 2*columnGap)
		if beside {
			indent = strings.Repeat(" ", used+columnGap)
			if len(ways) > 0 {
				row += gap + screen.Cut(ways[0], rest)
				ways = ways[1:]
			}
		}
		rows = append(rows, row)
		for _, way := range ways {
			rows = append(rows, indent+screen.Cut(way, w.width-len(indent)))
		}
	}
	return rows
}

// A placeColumn is an environment in the table.
type placeColumn struct {
	environment string
	width       int
}

// columns returns the environments that there is room for, and what they use of it.
func (b *board) columns(services []api.ServiceStatus, from, room int) (columns []placeColumn, used int) {
	for _, environment := range b.Environments[from:] {
		wide := screen.Width(environment)
		for _, s := range services {
			wide = max(wide, screen.Width(b.place(s, environment)))
		}
		wide = min(wide, widestPlace)
		if left := room - used - columnGap; left < wide {
			if left < leastPlace && len(columns) > 0 {
				break
			}
			wide = max(left, len("1 …"))
		}
		columns, used = append(columns, placeColumn{environment, wide}), used+columnGap+wide
	}
	return columns, used
}

// place returns what is live of a service in an environment, since when, and what changes there.
func (b *board) place(s api.ServiceStatus, environment string) string {
	i := slices.IndexFunc(s.Environments, func(p api.PlaceStatus) bool { return p.Environment == environment })
	if i < 0 {
		return b.faint("–")
	}
	p := s.Environments[i]
	text := b.faint("–")
	if p.Live != nil {
		text = b.bold(fmt.Sprint(p.Live.Version)) + " " + b.faint(age(b.now.Sub(p.Live.Since)))
		if p.Copies.Healthy < p.Copies.Wanted {
			text += " " + b.yellow(fmt.Sprintf("▲ %d/%d", p.Copies.Healthy, p.Copies.Wanted))
		}
	}
	if d := p.Deployment; d != nil {
		arrow := "→"
		if d.Kind == api.DeployRollback || d.Step == api.StepReverting {
			arrow = "↶"
		}
		text += " " + b.cyan(fmt.Sprintf("%s %d %s", arrow, d.Version, d.Step))
	}
	return text
}

// ways returns the versions of a service that are on their way, the newest first.
func (b *board) ways(s api.ServiceStatus) []string {
	var ways []string
	for i, v := range s.OnItsWay {
		if i == mostWays {
			ways = append(ways, b.faint(fmt.Sprintf("and %d more", len(s.OnItsWay)-i)))
			break
		}
		if v.Waiting {
			ways = append(ways, fmt.Sprintf("%d ‖ before %s %s: %s", v.Version, v.Stage, age(b.now.Sub(v.Since)), oneLine(first(v.Reason, v.Subject))))
			continue
		}
		ways = append(ways, b.cyan(fmt.Sprintf("%d ▸ %s %s", v.Version, v.Stage, age(b.now.Sub(v.Since))))+" "+oneLine(v.Subject)+b.faint(" · "+person(v.Author)))
	}
	return ways
}
