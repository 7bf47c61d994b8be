package history

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// expectFrom is from how many runs of a job it is told how long another one should take, and
// expectAmong among how many of the newest versions they are looked for.
const (
	expectFrom  = 10
	expectAmong = 100
)

// An Expectation says when something that goes on should end. Without an At, the records do not
// say.
type Expectation struct {
	At   time.Time
	Took time.Duration // what it usually takes: the middle of From
	From int           // how many of the newest that succeeded it rests on; 0: on the plan alone
}

// Expect says when what is waited for should end: a job that runs as long as its last runs did, a
// deployment as long as the last ones like it did, from when it started; a soak, as long as was
// planned.
func (h *History) Expect(ctx context.Context, w andon.Wait, deployment *andon.Plan, started time.Time) (Expectation, error) {
	if deployment != nil {
		pace, err := h.Pace(ctx, *deployment)
		if err != nil {
			return Expectation{}, err
		}
		if pace.Takes > 0 {
			return Expectation{At: started.Add(pace.Takes), Took: pace.Takes, From: pace.From}, nil
		}
	}
	switch w.Kind {
	case andon.WaitTask:
		return h.expectJob(ctx, w)
	case andon.WaitSoak:
		return Expectation{At: w.Until}, nil
	default: // other limits say when it has failed
		return Expectation{}, nil
	}
}

func (h *History) expectJob(ctx context.Context, w andon.Wait) (Expectation, error) {
	took, err := query(ctx, h.store, func(r *sql.Rows) (d time.Duration, err error) {
		return d, r.Scan((*int64)(&d))
	}, `SELECT a.ended - a.leased FROM task this
		JOIN task t INDEXED BY task_by_version ON t.service = this.service AND t.number BETWEEN this.number - ? AND this.number
		JOIN attempt a ON a.task = t.id AND a.ended = t.ended
		WHERE this.id = ? AND t.stage = this.stage AND t.job = this.job AND t.outcome = ? AND a.leased > 0
		ORDER BY t.number DESC, t.seq DESC LIMIT ?`, expectAmong, w.On, andon.Succeeded, expectFrom)
	if err != nil || len(took) == 0 {
		return Expectation{}, err
	}
	slices.Sort(took)
	usual := took[len(took)/2]
	return Expectation{At: w.Since.Add(usual), Took: usual, From: len(took)}, nil
}
