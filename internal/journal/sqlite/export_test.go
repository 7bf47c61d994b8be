package sqlite

import (
	"context"
	"strconv"
)

// Fill lets the journal grow by no more than some pages from now on, as a disk does that is
// nearly full; 0 gives the space back.
func (j *Journal) Fill(ctx context.Context, pages int) error {
	var now int
	if err := j.w.conn.QueryRowContext(ctx, `PRAGMA page_count`).Scan(&now); err != nil {
		return err
	}
	limit := 1 << 30
	if pages > 0 {
		limit = now + pages
	}
	_, err := j.w.conn.ExecContext(ctx, "PRAGMA max_page_count = "+strconv.Itoa(limit))
	return err
}
