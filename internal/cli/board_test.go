package cli

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/cli/screen"
)

var update = flag.Bool("update", false, "write the golden files anew")

// boardNow is when the golden boards were looked at, in whichever zone the test runs.
var boardNow = time.Date(2026, 3, 2, 13, 45, 2, 0, time.Local)

func before(d time.Duration) time.Time { return boardNow.Add(-d) }

// busyPlant is a plant where much goes on: of 30 services one stands, one is slow, one is deployed
// and one is rolled back; a host is away, and a commit of the estate was refused.
func busyPlant() api.Status {
	s := api.Status{
		Plant: "p", Position: 900, Time: boardNow, Line: api.Stopped, Environments: []string{"test", "staging", "production"},
		Cords: []api.Cord{{
			ID: "cord-1", Scope: api.Scope{Kind: api.ScopeService, Service: "pay"}, Owner: "andon", Pulled: before(3*time.Minute + 12*time.Second),
			Reason: "acceptance of pay 43 failed: the order is not in the ledger",
			Fix:    &api.Fix{Service: "pay", Broken: 43, After: 43, Stage: "acceptance", Author: "Ada Byron <ada@example.com>"},
		}},
		Agents: []api.Agent{{Name: "web1", Since: before(5 * time.Minute), Reason: "it has not been heard for 15s"}, {Name: "local", Connected: true}},
		Refused: &api.RefusedEstate{
			Commit: "51ac7abb501c599096e361fca25ad7cfb5418c9c", At: before(20 * time.Minute),
			Problems: []*api.Error{{Kind: api.KindInvalid, Message: `unknown key "stategy"`, File: "environments/production.yaml", Line: 3, Column: 1}},
		},
	}
	for i := range 30 {
		service := api.ServiceStatus{Service: fmt.Sprintf("service-%02d", i), Line: api.Running, Team: []string{"checkout", "search", ""}[i%3]}
		for j, environment := range s.Environments {
			version := int64(100 + i - j)
			service.Environments = append(service.Environments, api.PlaceStatus{
				Environment: environment, Live: &api.Live{Version: version, Since: before(time.Duration(i*(j+1)) * 97 * time.Minute)},
				Copies: api.Copies{Wanted: 2, Healthy: 2},
			})
		}
		s.Services = append(s.Services, service)
	}
	pay, slow, deployed, back := &s.Services[7], &s.Services[9], &s.Services[2], &s.Services[3]
	pay.Service, pay.Line, pay.Cords = "pay", api.Stopped, []string{"cord-1"}
	pay.OnItsWay = []api.OnItsWay{
		{Version: 45, Stage: "commit", Since: before(9 * time.Second), Subject: "Write the order into the ledger", Author: "Ada Byron <ada@example.com>"},
		{Version: 44, Stage: "production", Waiting: true, Since: before(2 * time.Minute), Subject: "Round up", Reason: "the line is stopped by cord-1 (acceptance of pay 43 failed)"},
	}
	slow.Line = api.Slow
	slow.OnItsWay = []api.OnItsWay{{Version: 112, Stage: "commit", Since: before(7 * time.Minute), Subject: "日本語の検索を速くする", Author: "花子 <hanako@example.com>"}}
	deployed.Environments[2].Deployment = &api.DeploymentStatus{Version: 103, Kind: api.DeployForward, Step: api.StepSoaking}
	back.Environments[2].Deployment = &api.DeploymentStatus{Version: 100, Kind: api.DeployRollback, Step: api.StepSwitching}
	back.Environments[2].Copies.Healthy = 1
	back.Environments[0].Live = nil
	return s
}

// drawnBoard returns the lines of a board of a size.
func drawnBoard(s api.Status, team string, w *window, colours boardColours, lost time.Duration) []string {
	seen := sight{Status: s, Taken: boardNow}
	if lost > 0 {
		seen.Lost = before(lost)
	}
	today := api.Today{Deployments: 14, Lost: 0, LeadMS: (23*time.Minute + 4*time.Second).Milliseconds(), Changes: 12}
	return drawBoard(&seen, team, &today, w, boardNow, colours)
}

func unchanged(s string) string { return s }

func TestBoard_LooksAsInItsGoldenFiles(t *testing.T) {
	for name, c := range map[string]struct {
		window  window
		team    string
		colours boardColours
		lost    time.Duration
	}{
		"80x24":         {window: window{width: 80, height: 24}},
		"200x60":        {window: window{width: 200, height: 60}},
		"200x60-colour": {window: window{width: 200, height: 60}, colours: boardColours{palette: true}},
		"40x12":         {window: window{width: 40, height: 12}},
		"team":          {window: window{width: 120, height: 24}, team: "search"},
		"end":           {window: window{width: 80, height: 24, top: 1000, left: 1}},
		"lost":          {window: window{width: 80, height: 24}, lost: 17 * time.Second},
		"ascii":         {window: window{width: 120, height: 24}, colours: boardColours{shapes: ascii}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.colours.shapes == nil {
				c.colours.shapes = unchanged
			}
			w := c.window
			lines := drawnBoard(busyPlant(), c.team, &w, c.colours, c.lost)
			for i, l := range lines {
				if n := screen.Width(l); n > w.width {
					t.Errorf("line %d takes %d of %d cells", i+1, n, w.width)
				}
				lines[i] = strings.TrimRight(l, " ")
			}
			if len(lines) != w.height {
				t.Errorf("%d lines, not %d", len(lines), w.height)
			}
			got := strings.Join(lines, "\n") + "\n"
			file := filepath.Join("testdata", "board", name+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil { //nolint:gosec // part of the sources
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("it looks like\n%s", got)
			}
		})
	}
}

// A board fits every window, and never hides that a line stands, whatever is in its texts.
func TestBoard_FitsAndShowsWhatStands(t *testing.T) {
	control := regexp.MustCompile(`[\x00-\x1f\x7f-\x9f]`)
	text := rapid.SampledFrom([]string{"", "short", "evil \x1b[2J\x1b]0;x\a\r\n\ttext", "日本語の検索", strings.Repeat("long ", 80), "e\u0301\u202e"})
	rapid.Check(t, func(t *rapid.T) {
		s := busyPlant()
		for i := range s.Services {
			if i%5 == 0 {
				s.Services[i].OnItsWay = []api.OnItsWay{{Version: 1, Stage: "commit", Subject: text.Draw(t, "subject"), Author: text.Draw(t, "author"), Waiting: i%2 == 0}}
			}
		}
		for range rapid.IntRange(0, 20).Draw(t, "cords") {
			s.Cords = append(s.Cords, api.Cord{ID: "cord-2", Scope: api.Scope{Kind: api.ScopePlant}, Owner: text.Draw(t, "owner"), Reason: text.Draw(t, "reason")})
		}
		w := window{
			width: rapid.IntRange(1, 250).Draw(t, "width"), height: rapid.IntRange(1, 80).Draw(t, "height"),
			top: rapid.IntRange(0, 200).Draw(t, "top"), left: rapid.IntRange(0, 5).Draw(t, "left"),
		}
		lines := drawnBoard(s, rapid.SampledFrom([]string{"", "search", "nobody"}).Draw(t, "team"), &w, boardColours{shapes: unchanged}, 0)
		if len(lines) != w.height {
			t.Fatalf("%d lines in %d", len(lines), w.height)
		}
		for _, l := range lines {
			if control.MatchString(l) {
				t.Fatalf("the line %q controls the terminal", l)
			}
		}
		if w.height >= 8 && w.width >= 40 && !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "■ service pay stands") }) {
			t.Fatalf("in %d×%d, pay is not said to stand:\n%s", w.width, w.height, strings.Join(lines, "\n"))
		}
	})
}
