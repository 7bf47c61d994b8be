package web

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

// noTeam selects the services of which nobody says who is responsible, where others have a team. It
// cannot be the name of one.
const noTeam andon.TeamName = "-"

// How long a board that goes through the teams may stay at each.
const (
	shortestTurn = 5 * time.Second
	longestTurn  = time.Hour
)

// turnForm is how that is written: so that the script of the page can read it, too.
var turnForm = regexp.MustCompile(`^([1-9][0-9]{0,3})(s|m)$`)

// teams returns the teams that services have, by name, and noTeam behind them if some have none.
func teams(s *line.State) []andon.TeamName {
	var names []andon.TeamName
	without := false
	for _, service := range s.Services {
		if team := service.Team(); team != "" {
			names = append(names, team)
		} else {
			without = true
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if without && len(names) > 0 {
		names = append(names, noTeam)
	}
	return names
}

// of reports whether the board of a team shows a service; without a team, it shows all.
func of(team andon.TeamName, service *line.Service) bool {
	if service == nil {
		return false
	}
	return team == "" || service.Team() == team || team == noTeam && service.Team() == ""
}

// readTeam returns the team that a board is asked of, and whether it is to go on to the others.
func readTeam(r *http.Request) (team andon.TeamName, turns bool, err error) {
	q := r.URL.Query()
	team = andon.TeamName(q.Get("team"))
	if team != "" && team != noTeam && !andon.ValidName(string(team)) {
		return "", false, andon.Errorf(andon.KindInvalid, "%.50q cannot name a team.", team).WithHint("%s", andon.NameRule)
	}
	turn := q.Get("rotate")
	if turn == "" {
		return team, false, nil
	}
	parts := turnForm.FindStringSubmatch(turn)
	if parts != nil {
		n, _ := strconv.Atoi(parts[1]) // four digits at most
		every := time.Duration(n) * map[string]time.Duration{"s": time.Second, "m": time.Minute}[parts[2]]
		if every >= shortestTurn && every <= longestTurn {
			return team, true, nil
		}
	}
	return "", false, andon.Errorf(andon.KindInvalid, "%.20q is not how long the board can stay at a team.", turn).
		WithHint("Write rotate=30s: from 5s to 60m, in whole seconds or minutes.")
}

func (p *pages) teams(ctx context.Context) (names []andon.TeamName, err error) {
	err = p.Engine.View(ctx, func(s *line.State) { names = teams(s) })
	return names, err
}

// turnBoard leads to the board of the team after the one that is named: behind the last, the first
// one comes again. Without teams, it leads to the board of all.
func (p *pages) turnBoard(w http.ResponseWriter, r *http.Request) {
	team, _, err := readTeam(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	names, err := p.teams(r.Context())
	if err != nil {
		p.fail(w, r, err)
		return
	}
	next := url.Values{}
	if turn := r.URL.Query().Get("rotate"); turn != "" {
		next.Set("rotate", turn)
	}
	if len(names) > 0 {
		next.Set("team", string(names[after(names, team)]))
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, "/board?"+next.Encode(), http.StatusSeeOther)
}

// after returns the place of the team that follows one in names, which need not be among them.
func after(names []andon.TeamName, team andon.TeamName) int {
	if team == noTeam || team == "" {
		return 0
	}
	for i, name := range names {
		if name > team || name == noTeam {
			return i
		}
	}
	return 0
}
