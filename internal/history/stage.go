package history

import (
	"context"
	"database/sql"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A StageRun is one passage of a version through a stage.
type StageRun struct {
	Stage    andon.StageName
	Run      int // 1, and one more with each rerun
	Started  time.Time
	Finished time.Time // zero: it runs
	Took     time.Duration
	Outcome  andon.Outcome
	Reason   string
	Slow     bool // it took longer than its budget
	Tasks    []Task
}

// An Admission is a person's word that a version may enter a stage.
type Admission struct {
	Stage  andon.StageName
	Time   time.Time
	By     andon.Actor
	Reason string
}

func (r recorder) stageAdmitted(b andon.StageAdmitted) error {
	if err := r.versionGoesOn(b.Version); err != nil {
		return err
	}
	return r.exec(`INSERT INTO admission (seq, service, number, stage, at, by, reason) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		r.event.Seq, b.Version.Service, b.Version.Number, b.Stage, r.now(), r.event.By, b.Reason)
}

func (r recorder) stageStarted(b andon.StageStarted) error {
	if err := r.versionGoesOn(b.Version); err != nil {
		return err
	}
	return r.exec(`INSERT OR REPLACE INTO stage (seq, service, number, stage, run, started) VALUES (?, ?, ?, ?, ?, ?)`,
		r.event.Seq, b.Version.Service, b.Version.Number, b.Stage, b.Run, r.now())
}

func (r recorder) stageFinished(b andon.StageFinished) error {
	if b.Artifact != nil {
		err := r.exec(`UPDATE version SET artifact = ?, size = ? WHERE service = ? AND number = ?`,
			b.Artifact.Digest, b.Artifact.Size, b.Version.Service, b.Version.Number)
		if err != nil {
			return err
		}
	}
	if counts(b.Outcome) {
		r.measure(func(n *numbers) {
			n.addEnd(stageEnd{
				at: r.now(), took: int64(b.Took), service: n.services.of(b.Version.Service), stage: n.stages.of(b.Stage),
				first: b.Run == 1, passed: b.Outcome == andon.Succeeded, slow: b.Slow,
			})
		})
	}
	return r.exec(`UPDATE stage SET finished = ?, took = ?, outcome = ?, reason = ?, slow = ?
		WHERE service = ? AND number = ? AND stage = ? AND run = ?`,
		r.now(), int64(b.Took), b.Outcome, b.Reason, b.Slow, b.Version.Service, b.Version.Number, b.Stage, b.Run)
}

// Stages returns the runs of a version's stages with their tasks, in the order in which they started.
func (h *History) Stages(ctx context.Context, v andon.VersionRef) ([]StageRun, error) {
	runs, err := query(ctx, h.store, func(r *sql.Rows) (s StageRun, err error) {
		return s, r.Scan(&s.Stage, &s.Run, at{&s.Started}, at{&s.Finished}, (*int64)(&s.Took), &s.Outcome, &s.Reason, &s.Slow)
	}, `SELECT stage, run, started, finished, took, outcome, reason, slow FROM stage WHERE service = ? AND number = ? ORDER BY seq`,
		v.Service, v.Number)
	if err != nil {
		return nil, err
	}
	tasks, err := h.tasks(ctx, `service = ? AND number = ?`, v.Service, v.Number)
	if err != nil {
		return nil, err
	}
	for i := range runs {
		for _, t := range tasks {
			if t.Stage == runs[i].Stage && t.Run == runs[i].Run {
				runs[i].Tasks = append(runs[i].Tasks, t)
			}
		}
	}
	return runs, nil
}

func (h *History) admissions(ctx context.Context, v andon.VersionRef) ([]Admission, error) {
	return query(ctx, h.store, func(r *sql.Rows) (a Admission, err error) {
		return a, r.Scan(&a.Stage, at{&a.Time}, &a.By, &a.Reason)
	}, `SELECT stage, at, by, reason FROM admission WHERE service = ? AND number = ? ORDER BY seq`, v.Service, v.Number)
}
