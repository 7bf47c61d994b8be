package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/journal"
)

// A writer is the one connection that writes. Its mutex makes transactions one after the other.
type writer struct {
	mu     sync.Mutex
	db     *sql.DB
	conn   *sql.Conn
	insert *sql.Stmt
	move   *sql.Stmt
}

func openWriter(ctx context.Context, path string) (*writer, error) {
	db, err := sql.Open("sqlite", dsn(path,
		"_pragma=busy_timeout(2000)", "_pragma=journal_mode(WAL)", "_pragma=synchronous(FULL)",
		"_pragma=journal_size_limit(67108864)", cache))
	if err != nil {
		return nil, err
	}
	w := &writer{db: db}
	if err := w.prepare(ctx, path); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *writer) prepare(ctx context.Context, path string) (err error) {
	if w.conn, err = w.db.Conn(ctx); err != nil {
		return unreadable(1, err)
	}
	version, err := checkFormat(ctx, w.conn, path)
	if err != nil {
		return unreadable(1, err)
	}
	if version == 0 {
		err := w.tx(func(ctx context.Context) error {
			_, err := w.conn.ExecContext(ctx, fmt.Sprintf("%s; PRAGMA application_id = %d; PRAGMA user_version = %d;", schema, applicationID, format))
			return err
		})
		if err != nil {
			return fmt.Errorf("create the journal: %w", err)
		}
	}
	if w.insert, err = w.conn.PrepareContext(ctx, `INSERT INTO event (seq, time, by, name, body, hash) VALUES (?, ?, ?, ?, ?, ?)`); err != nil {
		return unreadable(1, err)
	}
	w.move, err = w.conn.PrepareContext(ctx, `UPDATE head SET seq = ?, hash = ? WHERE id = 1`)
	return unreadable(1, err)
}

// tx runs do in a transaction that is durable when tx returns nil, and has no effect otherwise.
// It cannot be cancelled: a commit that is interrupted might have happened or not.
func (w *writer) tx(do func(ctx context.Context) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	ctx := context.Background()
	if _, err := w.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := do(ctx)
	if err == nil {
		_, err = w.conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		// After some errors SQLite has rolled back already, and then this one fails.
		_, _ = w.conn.ExecContext(ctx, "ROLLBACK")
	}
	return err
}

func (w *writer) close() error {
	var errs []error
	for _, s := range []*sql.Stmt{w.insert, w.move} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	if w.conn != nil {
		errs = append(errs, w.conn.Close())
	}
	return errors.Join(append(errs, w.db.Close())...)
}

// Append implements journal.Journal.
func (j *Journal) Append(ctx context.Context, prev andon.Seq, events []andon.Event) ([]andon.Event, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	chain := j.chain()
	if prev != chain.Seq {
		return nil, andon.Errorf(andon.KindConflict, "the journal is at event %d, not at event %d", chain.Seq, prev)
	}
	if len(events) == 0 {
		return nil, nil
	}
	rows, sealed := make([]journal.Row, len(events)), make([]andon.Event, len(events))
	for i, e := range events {
		var err error
		if rows[i], sealed[i], err = chain.Seal(e); err != nil {
			return nil, err
		}
	}
	err := j.w.tx(func(ctx context.Context) error { return j.w.add(ctx, prev, rows) })
	if err != nil {
		return nil, classify(j.path, fmt.Errorf("append %d events after event %d: %w", len(events), prev, err))
	}
	j.mu.Lock()
	j.head = chain
	j.mu.Unlock()
	return sealed, nil
}

// add writes rows behind prev within a transaction. The stored head, not the one in memory,
// decides whether they fit: two appends at once cannot both follow the same event.
func (w *writer) add(ctx context.Context, prev andon.Seq, rows []journal.Row) error {
	var head andon.Seq
	if err := w.conn.QueryRowContext(ctx, `SELECT seq FROM head`).Scan(&head); err != nil {
		return err
	}
	if head != prev {
		return andon.Errorf(andon.KindConflict, "the journal is at event %d, not at event %d", head, prev)
	}
	for i := range rows {
		r := &rows[i]
		if _, err := w.insert.ExecContext(ctx, int64(r.Seq), r.Time, r.By, r.Name, r.Body, r.Hash[:]); err != nil {
			return err
		}
	}
	last := &rows[len(rows)-1]
	_, err := w.move.ExecContext(ctx, int64(last.Seq), last.Hash[:])
	return err
}
