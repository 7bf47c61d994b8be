package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/metrics"
)

// Prepare brings the numbers that figures are computed from into memory, where Apply keeps them up
// to date: some 2 s for each million events. Figures are right without it, and slow. Whoever
// applies events calls it.
func (h *History) Prepare(ctx context.Context) error {
	n := newNumbers(mostNumbers)
	for _, load := range []func(context.Context, *numbers) error{
		h.loadChanges, h.loadRollouts, h.loadEnds, h.loadCandidatures, h.loadStops, h.loadTotals,
	} {
		if err := load(ctx, n); err != nil {
			return err
		}
	}
	h.reading.Lock()
	defer h.reading.Unlock()
	h.numbers = n
	return nil
}

func newNumbers(most int) *numbers {
	return &numbers{most: most, byID: make(map[andon.DeploymentID]*rollout), totals: newTotals()}
}

// startNumbers is for a history that has nothing yet.
func (h *History) startNumbers() {
	h.reading.Lock()
	defer h.reading.Unlock()
	h.numbers = newNumbers(mostNumbers)
}

// takeNumbers tells the numbers what was committed.
func (h *History) takeNumbers(committed []func(*numbers)) {
	if len(committed) == 0 {
		return
	}
	h.reading.Lock()
	defer h.reading.Unlock()
	if h.numbers == nil {
		return
	}
	for _, take := range committed {
		take(h.numbers)
	}
}

// each calls take with the rows of a query, one after the other.
func each[T any](ctx context.Context, s *store, scan func(*sql.Rows) (T, error), take func(T), text string, args ...any) error {
	found, err := s.rdb.QueryContext(ctx, text, args...)
	if err != nil {
		return storageError(s.path, err)
	}
	defer found.Close()
	for found.Next() {
		one, err := scan(found)
		if err != nil {
			return storageError(s.path, err)
		}
		take(one)
	}
	return storageError(s.path, found.Err())
}

// loadChanges reads the newest changes, and as the others that follow no more than are kept.
func (h *History) loadChanges(ctx context.Context, n *numbers) error {
	return each(ctx, h.store, scanStream, func(s stream) { n.addChange(s.VersionRef, s.delivered, s.portions) },
		`SELECT service, number, delivered, portions FROM (SELECT delivered AS d, service AS s, number AS v FROM change ORDER BY delivered DESC LIMIT ?)
			JOIN change ON service = s AND number = v ORDER BY d, v`, n.most)
}

// A stream is what the value stream knows of a change.
type stream struct {
	andon.VersionRef
	delivered time.Time
	portions  []metrics.Portion
}

// scanStream reads service, number, delivered and portions of a change.
func scanStream(r *sql.Rows) (s stream, err error) {
	var text string
	if err := r.Scan(&s.Service, &s.Number, at{&s.delivered}, &text); err != nil {
		return s, err
	}
	s.portions, err = readPortions(text)
	return s, err
}

func (h *History) loadRollouts(ctx context.Context, n *numbers) error {
	return each(ctx, h.store, scanRollout, func(r rollout) { r.into(n) }, selectRollout+`ORDER BY r.ended`)
}

func (h *History) loadEnds(ctx context.Context, n *numbers) error {
	type end struct {
		stageEnd
		service andon.ServiceName
		stage   andon.StageName
	}
	return each(ctx, h.store, func(r *sql.Rows) (e end, err error) {
		return e, r.Scan(&e.at, &e.took, &e.service, &e.stage, &e.first, &e.passed, &e.slow)
	}, func(e end) {
		e.stageEnd.service, e.stageEnd.stage = n.services.of(e.service), n.stages.of(e.stage)
		n.addEnd(e.stageEnd)
	}, `SELECT finished, took, service, stage, run = 1, outcome = 'succeeded', slow FROM stage
		WHERE finished > 0 AND outcome NOT IN ('cancelled', 'superseded') ORDER BY finished`)
}

func (h *History) loadCandidatures(ctx context.Context, n *numbers) error {
	type earned struct {
		candidature
		service andon.ServiceName
	}
	return each(ctx, h.store, func(r *sql.Rows) (c earned, err error) {
		return c, r.Scan(&c.at, &c.took, &c.service)
	}, func(c earned) {
		c.candidature.service = n.services.of(c.service)
		n.addCandidature(c.candidature)
	}, `SELECT m.at, m.at - min(v.committed, v.created), m.service FROM maturity m JOIN version v ON v.service = m.service AND v.number = m.number
		WHERE m.to_maturity = 'release-candidate' AND m.from_maturity = 'development' ORDER BY m.at`)
}

func (h *History) loadStops(ctx context.Context, n *numbers) error {
	return each(ctx, h.store, func(r *sql.Rows) (stopped, error) {
		var (
			cord     andon.Cord
			released time.Time
		)
		err := r.Scan(doc{&cord}, at{&released})
		return stopOf(&cord, released), err
	}, n.addStop, `SELECT doc, released FROM cord ORDER BY pulled`)
}

func (h *History) loadTotals(ctx context.Context, n *numbers) error {
	t := &n.totals
	type counted struct {
		deploymentKind
		count int64
	}
	err := each(ctx, h.store, func(r *sql.Rows) (c counted, err error) {
		return c, r.Scan(&c.environment, &c.kind, &c.outcome, &c.count)
	}, func(c counted) { t.deployments[c.deploymentKind] += c.count },
		`SELECT environment, kind, outcome, count(*) FROM deployment WHERE ended > 0 GROUP BY environment, kind, outcome`)
	if err != nil {
		return err
	}
	type sum struct {
		environment andon.EnvironmentName
		andon.Ledger
	}
	err = each(ctx, h.store, func(r *sql.Rows) (s sum, err error) {
		return s, r.Scan(&s.environment, doc{&s.Ledger})
	}, func(s sum) { t.addRequests(s.environment, s.Requests(), s.Failed) },
		`SELECT coalesce((SELECT environment FROM deployment WHERE id = deployment), ''), doc FROM ledger`)
	if err != nil {
		return err
	}
	return each(ctx, h.store, took, t.addLead, `SELECT lead FROM change`)
}

// writePortions writes portions as a column, and readPortions reads them.
func writePortions(portions []metrics.Portion) string {
	var b strings.Builder
	for _, p := range portions {
		fmt.Fprintf(&b, "%s,%s,%d ", p.Stage, p.Cause, p.Took.Nanoseconds())
	}
	return b.String()
}

func readPortions(text string) ([]metrics.Portion, error) {
	portions := make([]metrics.Portion, 0, strings.Count(text, " "))
	for text != "" {
		one, rest, _ := strings.Cut(text, " ")
		stage, after, _ := strings.Cut(one, ",")
		cause, nanoseconds, _ := strings.Cut(after, ",")
		took, err := strconv.ParseInt(nanoseconds, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("portions are stored as %.100q: %w", text, err)
		}
		portions = append(portions, metrics.Portion{Stage: andon.StageName(stage), Cause: metrics.Cause(cause), Took: time.Duration(took)})
		text = rest
	}
	return portions, nil
}

// ignoreNone passes over that there is no such row.
func ignoreNone(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}
