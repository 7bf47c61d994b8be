package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/form"
)

type boardCmd struct {
	Team string `placeholder:"NAME" help:"Only the services of this team; what stands is shown wherever it does."`
}

// Run shows the board on the whole terminal, or prints it once where that cannot be.
func (cmd *boardCmd) Run(c *call) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	status, err := client.Status(c.ctx, "")
	if err != nil {
		return err
	}
	if err := cmd.known(status); err != nil {
		return err
	}
	in, out, ok := c.takesScreen()
	switch {
	case c.json:
		c.sayJSON(c.out, status)
		return nil
	case !ok:
		return cmd.print(c, client, status)
	default:
		return cmd.show(c, client, in, out)
	}
}

// known returns an error when no service names the team that is asked for.
func (cmd *boardCmd) known(s api.Status) error {
	teams := teamsOf(s)
	if cmd.Team == "" || slices.Contains(teams, cmd.Team) {
		return nil
	}
	e := andon.Errorf(andon.KindNotFound, "no service is of team %s", cmd.Team)
	switch near := form.Nearest(cmd.Team, teams); {
	case near != "":
		return e.WithHint("did you mean %s?", near)
	case len(teams) > 0:
		return e.WithHint("there are %s", strings.Join(teams, ", "))
	default:
		return e.WithHint("write team: %s in the andon.yaml of its services", cmd.Team)
	}
}

func teamsOf(s api.Status) []string {
	var teams []string
	for _, service := range s.Services {
		if service.Team != "" {
			teams = append(teams, service.Team)
		}
	}
	slices.Sort(teams)
	return slices.Compact(teams)
}

// widestPrint is how wide a board is that nobody has a window on.
const widestPrint = 160

// print writes the board as lines.
func (cmd *boardCmd) print(c *call, client *api.Client, status api.Status) error {
	today, err := client.Today(c.ctx)
	if err != nil {
		return err
	}
	b := newBoard(status, cmd.Team, status.Time, c.boardPalette(c.paint(c.out)))
	b.today = &today
	w := window{width: widestPrint}
	for _, l := range slices.Concat(b.head(w.width), b.alarms(w.width, len(status.Cords)*alarmLines+len(status.Agents)+1), b.table(&w)) {
		fmt.Fprintln(c.out, strings.TrimRight(b.shapes(l), " "))
	}
	return nil
}

// show draws the board until somebody quits.
func (cmd *boardCmd) show(c *call, client *api.Client, in, out *os.File) error {
	ctx, cancel := context.WithCancel(c.ctx)
	var counting sync.WaitGroup
	defer counting.Wait()
	defer cancel()
	t := tally{news: make(chan struct{}, 1)}
	counting.Go(func() { t.count(ctx, client) })
	position := int64(-1)
	return c.watch(in, out, client, "", func(s *sight, w *window, now time.Time) []string {
		if s.Position != position {
			position = s.Position
			t.again()
		}
		return drawBoard(s, cmd.Team, t.read(), w, now, c.boardPalette(c.paint(out)))
	})
}

// A tally keeps the figures in the head of the board, which need a look into the history.
type tally struct {
	news  chan struct{}
	mu    sync.Mutex
	today *api.Today
}

// How often the figures are counted: at most, and when nothing happens, as a day ends all the same.
const (
	tallyPause = 2 * time.Second
	tallyRest  = time.Minute
)

// count keeps the tally until ctx ends. What cannot be read stays as it is: the board says itself
// when the connection is lost.
func (t *tally) count(ctx context.Context, client *api.Client) {
	for {
		if today, err := client.Today(ctx); err == nil {
			t.mu.Lock()
			t.today = &today
			t.mu.Unlock()
		}
		if !rest(ctx, tallyPause) {
			return
		}
		timer := time.NewTimer(tallyRest)
		select {
		case <-ctx.Done():
		case <-t.news:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (t *tally) again() {
	select {
	case t.news <- struct{}{}:
	default:
	}
}

func (t *tally) read() *api.Today {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.today
}
