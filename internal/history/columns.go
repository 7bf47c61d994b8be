package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// nanos is a time as a column; the zero time is 0.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// at scans a column of nanoseconds into a time in UTC.
type at struct{ t *time.Time }

// Scan implements sql.Scanner.
func (a at) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("a time is stored as %T", v)
	}
	*a.t = time.Time{}
	if n != 0 {
		*a.t = time.Unix(0, n).UTC()
	}
	return nil
}

// doc scans a column of JSON into what it points to; NULL leaves it as it is.
type doc struct{ v any }

// Scan implements sql.Scanner.
func (d doc) Scan(v any) error {
	switch s := v.(type) {
	case nil:
		return nil
	case string:
		return json.Unmarshal([]byte(s), d.v)
	default:
		return fmt.Errorf("a document is stored as %T", v)
	}
}

// document is a value as a column of JSON. The types of package andon always encode.
func document(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

// query returns the rows of a query, each read by scan.
func query[T any](ctx context.Context, s *store, scan func(*sql.Rows) (T, error), text string, args ...any) ([]T, error) {
	rows, err := s.rdb.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, storageError(s.path, err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, storageError(s.path, err)
		}
		all = append(all, one)
	}
	return all, storageError(s.path, rows.Err())
}

var errNone = errors.New("no such row")

// queryOne returns the only row of a query; errNone when there is none.
func queryOne[T any](ctx context.Context, s *store, scan func(*sql.Rows) (T, error), text string, args ...any) (T, error) {
	all, err := query(ctx, s, scan, text, args...)
	if err == nil && len(all) == 0 {
		err = errNone
	}
	if err != nil {
		var zero T
		return zero, err
	}
	return all[0], nil
}

// What a page holds when the caller does not say, and at most.
const (
	DefaultPage = 50
	MaxPage     = 1000
)

func pageSize(limit int) int {
	if limit <= 0 {
		return DefaultPage
	}
	return min(limit, MaxPage)
}
