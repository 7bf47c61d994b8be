package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/journal"
)

// page is how many rows are read in one query: long enough to cost little per row, short
// enough that no reader holds the WAL back while its consumer thinks.
const page = 256

// Read implements journal.Journal.
func (j *Journal) Read(ctx context.Context, after andon.Seq, limit int) iter.Seq2[andon.Event, error] {
	return func(yield func(andon.Event, error) bool) {
		if head := j.chain().Seq; after > head || after < 0 {
			yield(andon.Event{}, andon.Errorf(andon.KindConflict, "the journal ends at event %d; there is nothing after event %d", head, after))
			return
		}
		chain, err := j.chainAt(ctx, after)
		if err != nil {
			yield(andon.Event{}, classify(j.path, err))
			return
		}
		for given := 0; limit <= 0 || given < limit; {
			want := page
			if limit > 0 {
				want = min(page, limit-given)
			}
			events, err := j.readPage(ctx, &chain, want)
			for _, e := range events {
				if !yield(e, nil) {
					return
				}
			}
			if err != nil {
				yield(andon.Event{}, classify(j.path, err))
				return
			}
			if len(events) < want {
				return
			}
			given += len(events)
		}
	}
}

// chainAt returns the chain as it is at an event; at 0 it is empty.
func (j *Journal) chainAt(ctx context.Context, seq andon.Seq) (journal.Chain, error) {
	if seq == 0 {
		return journal.Chain{}, nil
	}
	var hash []byte
	err := j.db.QueryRowContext(ctx, `SELECT hash FROM event WHERE seq = ?`, int64(seq)).Scan(&hash)
	if errors.Is(err, sql.ErrNoRows) {
		return journal.Chain{}, &journal.Damage{Seq: seq, What: "it is missing"}
	}
	if err != nil {
		return journal.Chain{}, fmt.Errorf("read event %d: %w", seq, unreadable(seq, err))
	}
	c := journal.Chain{Seq: seq}
	if len(hash) != len(c.Hash) {
		return journal.Chain{}, &journal.Damage{Seq: seq, What: "its hash is not a SHA-256"}
	}
	copy(c.Hash[:], hash)
	return c, nil
}

// readPage reads up to n events behind the chain and moves it over them. It returns those before
// the first bad one together with the error. Fewer than n, and no error: the head is reached.
func (j *Journal) readPage(ctx context.Context, chain *journal.Chain, n int) ([]andon.Event, error) {
	head := j.chain().Seq
	n = min(n, int(head-chain.Seq))
	if n == 0 {
		return nil, nil
	}
	rows, err := j.db.QueryContext(ctx,
		`SELECT seq, time, by, name, body, hash FROM event WHERE seq > ? ORDER BY seq LIMIT ?`, int64(chain.Seq), n)
	if err != nil {
		return nil, fmt.Errorf("read after event %d: %w", chain.Seq, unreadable(chain.Seq+1, err))
	}
	defer rows.Close()
	events := make([]andon.Event, 0, n)
	for rows.Next() {
		e, err := scan(rows, chain)
		if err != nil {
			return events, err
		}
		events = append(events, e)
	}
	if err := rows.Err(); err != nil {
		return events, fmt.Errorf("read after event %d: %w", chain.Seq, unreadable(chain.Seq+1, err))
	}
	if len(events) < n {
		return events, &journal.Damage{Seq: chain.Seq + 1, What: "it is missing"}
	}
	return events, nil
}

// scan reads the current row as the next event of the chain.
func scan(rows *sql.Rows, chain *journal.Chain) (andon.Event, error) {
	var (
		r          journal.Row
		body, hash sql.RawBytes
	)
	if err := rows.Scan((*int64)(&r.Seq), &r.Time, &r.By, &r.Name, &body, &hash); err != nil {
		return andon.Event{}, &journal.Damage{Seq: chain.Seq + 1, What: "its row cannot be read", Cause: err}
	}
	r.Body = body
	copy(r.Hash[:], hash)
	if err := chain.Follow(&r); err != nil {
		return andon.Event{}, err
	}
	return r.Event()
}
