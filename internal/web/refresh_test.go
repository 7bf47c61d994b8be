package web

import (
	"bytes"
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

// TestSheet_IsDrawnAgainWhenTheHistoryWasLate: a reader gets what the history lacked at first, though
// nothing happens after it.
func TestSheet_IsDrawnAgainWhenTheHistoryWasLate(t *testing.T) {
	j, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	drawings := 0
	s := &sheet{engine: enginetest.Run(t, j, nil, time.Now()).Engine, draw: func(context.Context, map[andon.ServiceName]bool, bool) ([]drawn, error) {
		if drawings++; drawings == 1 {
			return []drawn{{"figures", "those before"}}, errLate
		}
		return []drawn{{"figures", "those of now"}}, nil
	}}
	_, edition, news, err := s.since(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-news:
	default:
		t.Fatal("the reader is not told to ask again")
	}
	told, edition, _, err := s.since(t.Context(), edition)
	if err != nil || !bytes.Contains(told.text, []byte("those of now")) {
		t.Fatalf("the reader is told %q, %v", told.text, err)
	}
	if told, _, _, err = s.since(t.Context(), edition); err != nil || len(told.text) > 0 || drawings != 2 {
		t.Errorf("then it is told %q, %v, after %d drawings", told.text, err, drawings)
	}
}
