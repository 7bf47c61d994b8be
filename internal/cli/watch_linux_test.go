package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	ossignal "os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/cli/screen/screentest"
)

// A losablePlant has a status that a test changes, and can be cut off.
type losablePlant struct {
	*httptest.Server
	mu     sync.Mutex
	status api.Status
	away   bool
	news   chan struct{} // closed when something changed
	asked  []string      // positions that streams of events began behind
}

func newLosablePlant(t *testing.T, status api.Status) *losablePlant {
	p := &losablePlant{status: status, news: make(chan struct{})}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	t.Cleanup(p.CloseClientConnections)
	return p
}

// change changes the plant: something happened, or it is lost or found.
func (p *losablePlant) change(f func(*losablePlant)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p)
	close(p.news)
	p.news = make(chan struct{})
}

func (p *losablePlant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	status, away, news := p.status, p.away, p.news
	if r.URL.Path == "/api/v1/events" {
		p.asked = append(p.asked, r.URL.Query().Get("after"))
	}
	p.mu.Unlock()
	if away {
		panic(http.ErrAbortHandler)
	}
	switch r.URL.Path {
	case "/api/v1/status":
		_ = json.NewEncoder(w).Encode(status)
	case "/api/v1/today":
		_ = json.NewEncoder(w).Encode(api.Today{Deployments: 14})
	case "/api/v1/events":
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		// What happened before the stream began is told at once, as a plant does.
		if after, err := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64); err == nil && status.Position <= after {
			select {
			case <-news:
			case <-r.Context().Done():
				return
			}
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.away {
			panic(http.ErrAbortHandler)
		}
		data, _ := json.Marshal(api.Event{Position: p.status.Position})
		fmt.Fprintf(w, "id: %d\ndata: %s\n\n", p.status.Position, data)
	default:
		http.NotFound(w, r)
	}
}

// forTerminal returns a command of andon with a terminal of its own, as a shell starts it.
func forTerminal(t *testing.T, terminal *screentest.Terminal, p *losablePlant, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Args = append([]string{"andon", "--server", p.URL, "--token", "t"}, args...)
	cmd.Env = []string{"TERM=xterm", "LANG=C.UTF-8", "NO_COLOR=1", "HOME=" + t.TempDir(), "GORACE=atexit_sleep_ms=0"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal.Slave, terminal.Slave, terminal.Slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	return cmd
}

// onTerminal starts a command of andon with a terminal of its own.
func onTerminal(t *testing.T, terminal *screentest.Terminal, p *losablePlant, args ...string) *exec.Cmd {
	t.Helper()
	cmd := forTerminal(t, terminal, p, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_, _ = cmd.Process.Wait()
	})
	return cmd
}

// ended waits for the end of a command and checks that its terminal is as it was.
func ended(t *testing.T, cmd *exec.Cmd, terminal *screentest.Terminal, before unix.Termios) {
	t.Helper()
	_ = cmd.Wait() // a signal may have ended it
	terminal.Wait(t, "its own page", func(string) bool { return !terminal.Mode("1049") && terminal.Mode("25") && terminal.Mode("7") })
	if after := terminal.Settings(t); after != before {
		t.Errorf("the terminal is set up as %+v, not %+v", after, before)
	}
	if unknown := terminal.Unknown(); len(unknown) > 0 {
		t.Errorf("the terminal was told %q", unknown)
	}
}

func TestBoard_LivesOnATerminal(t *testing.T) {
	t.Parallel()
	plant := newLosablePlant(t, busyPlant())
	terminal := screentest.Open(t, 80, 24)
	before := terminal.Settings(t)
	cmd := onTerminal(t, terminal, plant, "board")
	terminal.Shows(t, "14 deployed today")
	if text := terminal.Shows(t, "■ service pay stands"); strings.Contains(text, "ON ITS WAY") {
		t.Errorf("what is on its way has a column of its own in 80:\n%s", text)
	}
	terminal.Resize(t, 200, 60)
	terminal.Shows(t, "ON ITS WAY")
	terminal.Shows(t, "service-29")
	terminal.Resize(t, 80, 24)
	terminal.Press(t, "G")
	terminal.Wait(t, "the last service alone", func(text string) bool {
		return strings.Contains(text, "service-29") && !strings.Contains(text, "service-00")
	})
	terminal.Press(t, "\x1b[Hq")
	ended(t, cmd, terminal, before)
}

func TestBoard_SaysThatItIsLostAndGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	plant := newLosablePlant(t, busyPlant())
	terminal := screentest.Open(t, 80, 24)
	before := terminal.Settings(t)
	cmd := onTerminal(t, terminal, plant, "board")
	terminal.Shows(t, "■ service pay stands")
	plant.change(func(p *losablePlant) { p.away = true })
	terminal.Shows(t, "▲ Connection lost")
	plant.change(func(p *losablePlant) {
		p.away, p.status.Position, p.status.Line, p.status.Cords = false, 901, api.Running, nil
	})
	terminal.Wait(t, "a line that runs", func(text string) bool {
		return strings.Contains(text, "● The line runs") && !strings.Contains(text, "lost 1")
	})
	terminal.Wait(t, "no loss", func(text string) bool { return !strings.Contains(text, "Connection lost") })
	plant.change(func(p *losablePlant) { p.status.Position, p.status.Services[0].Service = 902, "newcomer" })
	terminal.Shows(t, "newcomer")
	plant.mu.Lock()
	first, last := plant.asked[0], plant.asked[len(plant.asked)-1]
	plant.mu.Unlock()
	if first != "900" || last != "901" && last != "902" {
		t.Errorf("it followed from %s, and in the end from %s", first, last)
	}
	terminal.Press(t, "\x03")
	ended(t, cmd, terminal, before)
}

func TestBoard_GivesTheTerminalBackHoweverItEnds(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			if ossignal.Ignored(signal) {
				t.Skip("this run ignores the signal, as under nohup, and so does what it starts")
			}
			plant := newLosablePlant(t, busyPlant())
			terminal := screentest.Open(t, 80, 24)
			before := terminal.Settings(t)
			cmd := onTerminal(t, terminal, plant, "board")
			terminal.Shows(t, "■ service pay stands")
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			terminal.Wait(t, "its own page", func(string) bool { return !terminal.Mode("1049") && terminal.Mode("25") && terminal.Mode("7") })
			if after := terminal.Settings(t); after != before {
				t.Errorf("the terminal is set up as %+v, not %+v", after, before)
			}
		})
	}
}

// A shell is not there to let a command go on that Control-Z stops, so it is not stopped; the
// terminal is given back and taken again all the same.
func TestBoard_GoesOnWhenItCannotBeSuspended(t *testing.T) {
	t.Parallel()
	plant := newLosablePlant(t, busyPlant())
	terminal := screentest.Open(t, 80, 24)
	before := terminal.Settings(t)
	cmd := onTerminal(t, terminal, plant, "board")
	terminal.Shows(t, "■ service pay stands")
	drawn := terminal.Written()
	terminal.Press(t, "\x1a")
	terminal.Wait(t, "the board again", func(text string) bool {
		return terminal.Written() > drawn+len(text)/2 && strings.Contains(text, "■ service pay stands")
	})
	terminal.Press(t, "q")
	ended(t, cmd, terminal, before)
}

func TestStatusFollow_DrawsOnATerminalAndLeavesWhatItShowed(t *testing.T) {
	t.Parallel()
	plant := newLosablePlant(t, busyPlant())
	terminal := screentest.Open(t, 100, 30)
	before := terminal.Settings(t)
	cmd := onTerminal(t, terminal, plant, "status", "-f")
	terminal.Shows(t, "service-00  no version yet")
	plant.change(func(p *losablePlant) { p.status.Position, p.status.Services[0].Newest = 901, 77 })
	terminal.Shows(t, "service-00  newest version 77")
	terminal.Press(t, "q")
	ended(t, cmd, terminal, before)
	terminal.Shows(t, "web1   away")
}

func TestBoard_PrintsOnceWithoutAWholeTerminal(t *testing.T) {
	t.Parallel()
	plant := newLosablePlant(t, busyPlant())
	terminal := screentest.Open(t, 180, 60)
	before := terminal.Settings(t)
	cmd := forTerminal(t, terminal, plant, "board", "--team", "search")
	cmd.Env = append(cmd.Env, "TERM=dumb")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	text := terminal.Shows(t, "service-28")
	if strings.Contains(text, "service-29") || !strings.Contains(text, "■ service pay stands") {
		t.Errorf("it prints\n%s", text)
	}
	ended(t, cmd, terminal, before)
}

// TestStatusFollow_PrintsOnlyWhatChanged has a pipe in place of a terminal.
func TestStatusFollow_PrintsOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	plant := newLosablePlant(t, busyPlant())
	out, writer := io.Pipe()
	page := screentest.NewPage(200, 400)
	go func() { _, _ = io.Copy(page, out) }()
	c := &call{terminal: &terminal{out: writer, err: page, getenv: func(string) string { return "" }}, ctx: t.Context(), connection: connection{Server: plant.URL, Token: "t"}}
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	c.ctx = ctx
	go func() { done <- (&statusCmd{Follow: true}).Run(c) }()
	page.Shows(t, "web1   away")
	plant.change(func(p *losablePlant) { p.status.Position, p.status.Services[0].Newest = 901, 77 })
	text := page.Shows(t, "service-00  newest version 77")
	if n := strings.Count(text, "service-01  "); n != 1 {
		t.Errorf("what has not changed is printed %d times", n)
	}
	plant.change(func(p *losablePlant) { p.away = true })
	page.Shows(t, "the connection is lost")
	plant.change(func(p *losablePlant) { p.away = false })
	text = page.Shows(t, "the connection is back")
	if n := strings.Count(text, "service-00  "); n != 2 {
		t.Errorf("nothing happened, and service-00 is printed %d times", n)
	}
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("it does not end")
	}
	writer.Close()
}
