package web

import (
	"context"
	"html/template"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/engine/enginetest"
	"github.com/andon-cd/andon/internal/journal/sqlite"
	"github.com/andon-cd/andon/internal/line"
)

// TestSheet_TellsOfWhatHappensWhileItIsDrawn: a reader is woken for an event that was committed
// when the drawing had begun already, though nothing else happens after it.
func TestSheet_TellsOfWhatHappensWhileItIsDrawn(t *testing.T) {
	j, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	plant := enginetest.Run(t, j, nil, time.Now())
	meanwhile := func() {}
	s := &sheet{engine: plant.Engine, draw: func(ctx context.Context, _ map[andon.ServiceName]bool, _ bool) ([]drawn, error) {
		cords := 0
		err := plant.Engine.View(ctx, func(s *line.State) { cords = len(s.Cords) })
		meanwhile()
		return []drawn{{"cords", template.HTML(strconv.Itoa(cords))}}, err //nolint:gosec // a number
	}}
	_, edition, _, err := s.since(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	pull := func(environment andon.EnvironmentName) {
		plant.Do(line.PullCord{Scope: andon.Scope{Kind: andon.ScopeEnvironment, Environment: environment}, Reason: "stocktaking"})
	}
	meanwhile = func() {
		meanwhile = func() {}
		pull("production")
	}
	pull("test")
	told, edition, news, err := s.since(t.Context(), edition)
	if err != nil || len(told.text) == 0 {
		t.Fatalf("the reader is told %q, %v", told.text, err)
	}
	select {
	case <-news:
	case <-time.After(time.Minute):
		t.Fatal("nobody wakes the reader for the second cord")
	}
	if told, _, _, err = s.since(t.Context(), edition); err != nil || len(told.text) == 0 {
		t.Errorf("then it is told %q, %v", told.text, err)
	}
}
