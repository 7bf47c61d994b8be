package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/journal"
)

// SaveSnapshot implements journal.Journal. The data is stored as it is: on the sizes that a state
// has, compressing costs more of a start than reading the bytes does.
func (j *Journal) SaveSnapshot(ctx context.Context, s journal.Snapshot) error {
	if head := j.chain().Seq; s.Seq < 1 || s.Seq > head {
		return andon.Errorf(andon.KindConflict, "there is no event %d to keep a snapshot of: the journal is at event %d", s.Seq, head)
	}
	at, err := j.chainAt(ctx, s.Seq)
	if err != nil {
		return classify(j.path, err)
	}
	sum := sha256.Sum256(s.Data)
	err = j.w.tx(func(ctx context.Context) error {
		_, err := j.w.conn.ExecContext(ctx,
			`INSERT OR REPLACE INTO snapshot (seq, format, chain, sum, data) VALUES (?, ?, ?, ?, ?)`,
			int64(s.Seq), s.Format, at.Hash[:], sum[:], append([]byte{}, s.Data...))
		if err != nil {
			return err
		}
		_, err = j.w.conn.ExecContext(ctx, `DELETE FROM snapshot WHERE seq NOT IN (SELECT seq FROM snapshot ORDER BY seq DESC LIMIT 2)`)
		return err
	})
	if err != nil {
		return classify(j.path, fmt.Errorf("save the snapshot at event %d: %w", s.Seq, err))
	}
	return nil
}

// Snapshot implements journal.Journal.
func (j *Journal) Snapshot(ctx context.Context) (journal.Snapshot, bool, error) {
	rows, err := j.db.QueryContext(ctx,
		`SELECT s.seq, s.format, s.sum, s.data FROM snapshot s JOIN event e ON e.seq = s.seq AND e.hash = s.chain ORDER BY s.seq DESC`)
	if err != nil {
		return journal.Snapshot{}, false, classify(j.path, fmt.Errorf("read the snapshots: %w", err))
	}
	defer rows.Close()
	for rows.Next() {
		var (
			s   journal.Snapshot
			sum []byte
		)
		if err := rows.Scan((*int64)(&s.Seq), &s.Format, &sum, &s.Data); err != nil {
			return journal.Snapshot{}, false, classify(j.path, fmt.Errorf("read a snapshot: %w", err))
		}
		if got := sha256.Sum256(s.Data); bytes.Equal(got[:], sum) {
			return s, true, nil
		}
	}
	return journal.Snapshot{}, false, classify(j.path, rows.Err())
}
