package history

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A Task is one task with all its attempts.
type Task struct {
	ID         andon.TaskID
	Kind       andon.TaskKind
	Version    andon.VersionRef
	Stage      andon.StageName
	Run        int // of the stage; 0: it belongs to no stage
	Job        andon.JobName
	Deployment andon.DeploymentID
	Instance   andon.InstanceID // of a smoke test
	Queued     time.Time
	Ended      time.Time     // zero: it waits or runs
	Outcome    andon.Outcome // of the last attempt, once it ended
	Cancelled  string        // why it was cancelled
	Attempts   []Attempt
}

// An Attempt is one lease of a task.
type Attempt struct {
	Number int
	Agent  andon.AgentName
	Log    string // name of its log stream
	Leased time.Time
	Ended  time.Time         // zero: it runs
	Result *andon.TaskResult // nil: it runs
}

func (r recorder) taskQueued(b andon.TaskQueued) error {
	t := b.Task
	return r.exec(`INSERT INTO task (id, kind, service, number, stage, job, deployment, instance, seq, queued, run)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
			(SELECT coalesce(max(run), 0) FROM stage WHERE service = ? AND number = ? AND stage = ?))
		ON CONFLICT (id) DO UPDATE SET ended = 0, outcome = '', cancelled = ''`,
		t.ID, t.Kind, t.Version.Service, t.Version.Number, t.Stage, t.Job, t.Deployment, t.Instance, r.event.Seq, r.now(),
		t.Version.Service, t.Version.Number, t.Stage)
}

func (r recorder) taskLeased(b andon.TaskLeased) error {
	return r.exec(`INSERT OR REPLACE INTO attempt (task, attempt, agent, leased) VALUES (?, ?, ?, ?)`, b.Task, b.Attempt, b.Agent, r.now())
}

func (r recorder) taskCancelled(b andon.TaskCancelled) error {
	return r.exec(`UPDATE task SET cancelled = ?1,
			ended   = iif(EXISTS (SELECT 1 FROM attempt WHERE task = id AND attempt.ended = 0), ended, ?2),
			outcome = iif(EXISTS (SELECT 1 FROM attempt WHERE task = id AND attempt.ended = 0), outcome, ?3)
		WHERE id = ?4 AND ended = 0`, b.Reason, r.now(), andon.Cancelled, b.Task)
}

func (r recorder) taskEnded(b andon.TaskEnded) error {
	result, err := document(b.Result)
	if err != nil {
		return err
	}
	err = r.exec(`INSERT INTO attempt (task, attempt, agent, leased, started, ended, result) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (task, attempt) DO UPDATE SET started = excluded.started, ended = excluded.ended, result = excluded.result`,
		b.Task, b.Attempt, b.Agent, r.now(), nanos(b.Result.Started), r.now(), result)
	if err != nil || b.Again {
		return err
	}
	return r.exec(`UPDATE task SET ended = ?, outcome = ? WHERE id = ?`, r.now(), b.Result.Outcome, b.Task)
}

// Task returns one task; andon.KindNotFound when there is none.
func (h *History) Task(ctx context.Context, id andon.TaskID) (Task, error) {
	tasks, err := h.tasks(ctx, `id = ?`, id)
	if err == nil && len(tasks) == 0 {
		err = andon.Errorf(andon.KindNotFound, "there is no task %s", id)
	}
	if err != nil {
		return Task{}, err
	}
	return tasks[0], nil
}

// tasks returns the tasks that a condition selects, in the order in which they were queued.
func (h *History) tasks(ctx context.Context, where string, args ...any) ([]Task, error) {
	tasks, err := query(ctx, h.store, func(r *sql.Rows) (t Task, err error) {
		return t, r.Scan(&t.ID, &t.Kind, &t.Version.Service, &t.Version.Number, &t.Stage, &t.Run, &t.Job, &t.Deployment, &t.Instance,
			at{&t.Queued}, at{&t.Ended}, &t.Outcome, &t.Cancelled)
	}, `SELECT id, kind, service, number, stage, run, job, deployment, instance, queued, ended, outcome, cancelled
		FROM task WHERE `+where+` ORDER BY seq`, args...)
	if err != nil || len(tasks) == 0 {
		return nil, err
	}
	byID := make(map[andon.TaskID]*Task, len(tasks))
	for i := range tasks {
		byID[tasks[i].ID] = &tasks[i]
	}
	type row struct {
		task andon.TaskID
		Attempt
	}
	attempts, err := query(ctx, h.store, func(r *sql.Rows) (a row, err error) {
		return a, r.Scan(&a.task, &a.Number, &a.Agent, at{&a.Leased}, at{&a.Ended}, doc{&a.Result})
	}, `SELECT task, attempt, agent, leased, ended, result FROM attempt
		WHERE task IN (SELECT id FROM task WHERE `+where+`) ORDER BY task, attempt`, args...)
	for _, a := range attempts {
		if t, ok := byID[a.task]; ok {
			a.Log = andon.TaskLogStream(a.task, a.Number)
			t.Attempts = append(t.Attempts, a.Attempt)
		}
	}
	return tasks, err
}

// versionOf returns what a task is about, as far as the events before this one told.
func (r recorder) versionOf(task andon.TaskID) (v andon.VersionRef, err error) {
	err = r.store.row(r.ctx, `SELECT service, number FROM task WHERE id = ?`, task).Scan(&v.Service, &v.Number)
	if errors.Is(err, sql.ErrNoRows) {
		return v, nil
	}
	return v, err
}
