package history

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/andon-cd/andon/internal/andon"
)

// schema creates everything in an empty file.
//
//go:embed schema.sql
var schema string

const (
	// format is the version of the schema and of what Apply makes of events. A history of another
	// one is made again from the journal.
	format = 9
	// readers bounds the queries that run at once.
	readers = 4
)

// A store is the database: one connection that writes, some that read.
type store struct {
	path string
	rdb  *sql.DB
	wdb  *sql.DB
	w    *sql.Conn

	writing sync.Mutex // held for each transaction of w
	// prepared holds the statements of w by their text. There are as many as there are in the
	// program's source.
	prepared map[string]*sql.Stmt
	// pending is what the transaction means for the numbers; it reaches them after the commit.
	pending []func(*numbers)
}

func openStore(ctx context.Context, path string) (*store, error) {
	s, err := tryOpen(ctx, path)
	if err == nil {
		return s, nil
	}
	if !errors.Is(err, errOtherFormat) && !damaged(err) {
		return nil, storageError(path, err)
	}
	if err := remove(path); err != nil {
		return nil, storageError(path, err)
	}
	s, err = tryOpen(ctx, path)
	return s, storageError(path, err)
}

var errOtherFormat = errors.New("the history has another format")

func tryOpen(ctx context.Context, path string) (*store, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	s := &store{path: path, prepared: make(map[string]*sql.Stmt)}
	// With synchronous=NORMAL a loss of power can take the last events, which come again from the
	// journal, but never makes the database inconsistent.
	s.wdb, err = sql.Open("sqlite", dsn(path)+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=journal_size_limit(67108864)")
	if err != nil {
		return nil, err
	}
	if s.rdb, err = sql.Open("sqlite", dsn(path)+"?mode=ro&_pragma=busy_timeout(5000)&_pragma=query_only(1)"); err != nil {
		return nil, joinClose(err, s)
	}
	s.rdb.SetMaxOpenConns(readers)
	s.rdb.SetMaxIdleConns(2)
	if err := s.prepareFile(ctx); err != nil {
		return nil, joinClose(err, s)
	}
	return s, nil
}

func (s *store) prepareFile(ctx context.Context) (err error) {
	if s.w, err = s.wdb.Conn(ctx); err != nil {
		return err
	}
	var version, tables int
	err = s.w.QueryRowContext(ctx,
		`SELECT (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)`).Scan(&version, &tables)
	if err != nil {
		return err
	}
	if tables == 0 {
		_, err = s.w.ExecContext(ctx, fmt.Sprintf("BEGIN IMMEDIATE; %s; PRAGMA user_version = %d; COMMIT", schema, format))
		return err
	}
	if version != format {
		return errOtherFormat
	}
	_, _, err = s.position(ctx) // damage that would keep the history from starting is found here
	return err
}

// position returns the last event applied, and its print.
func (s *store) position(ctx context.Context) (seq andon.Seq, print []byte, err error) {
	err = s.rdb.QueryRowContext(ctx, `SELECT seq, print FROM position`).Scan((*int64)(&seq), &print)
	return seq, print, storageError(s.path, err)
}

// exec runs a statement of the writer.
func (s *store) exec(ctx context.Context, text string, args ...any) error {
	stmt, err := s.prepare(ctx, text) //nolint:sqlclosecheck // prepared once, closed with the store
	if err != nil {
		return err
	}
	_, err = stmt.ExecContext(ctx, args...)
	return err
}

// row runs a query on the writer's connection, so that it sees its transaction.
func (s *store) row(ctx context.Context, text string, args ...any) scanner {
	stmt, err := s.prepare(ctx, text) //nolint:sqlclosecheck // prepared once, closed with the store
	if err != nil {
		return failed{err}
	}
	return stmt.QueryRowContext(ctx, args...)
}

// rows runs a query on the writer's connection, so that it sees its transaction.
func rows[T any](ctx context.Context, s *store, scan func(*sql.Rows) (T, error), text string, args ...any) (all []T, err error) {
	stmt, err := s.prepare(ctx, text) //nolint:sqlclosecheck // prepared once, closed with the store
	if err != nil {
		return nil, err
	}
	found, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	for found.Next() {
		one, err := scan(found)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, found.Err()
}

// prepare returns the writer's statement of that text, prepared once.
func (s *store) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	if stmt, ok := s.prepared[text]; ok {
		return stmt, nil
	}
	stmt, err := s.w.PrepareContext(ctx, text)
	if err == nil {
		s.prepared[text] = stmt
	}
	return stmt, err
}

// A scanner is the row that a query gave, or why it gave none.
type scanner interface{ Scan(dest ...any) error }

type failed struct{ err error }

func (f failed) Scan(...any) error { return f.err }

// tx runs do in one transaction of the writer. Only within it, and with the context that it gives,
// may exec and row be called. It cannot be cancelled once it has begun: a commit that is
// interrupted might have happened or not.
func (s *store) tx(ctx context.Context, do func(ctx context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return storageError(s.path, err)
	}
	err := do(ctx)
	if err == nil {
		err = s.exec(ctx, "COMMIT")
	}
	if err != nil {
		// After some errors SQLite has rolled back already, and then this one fails.
		_ = s.exec(ctx, "ROLLBACK")
		if damaged(err) {
			// The next start makes it again; until then the open files serve what can be read.
			err = errors.Join(err, remove(s.path))
		}
	}
	return storageError(s.path, err)
}

// haste lets the writer keep more pages in memory, and write them to the database less often, while
// it applies very many events; then it is as before.
func (s *store) haste(ctx context.Context, begins bool) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	text := `PRAGMA cache_size = -2000; PRAGMA wal_autocheckpoint = 1000; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA shrink_memory`
	if begins {
		text = `PRAGMA cache_size = -131072; PRAGMA wal_autocheckpoint = 32768` // 128 MB of each
	}
	_, err := s.w.ExecContext(ctx, text)
	return storageError(s.path, err)
}

// empty deletes everything that was made from events.
func (s *store) empty(ctx context.Context) error {
	tables, err := query(ctx, s, func(r *sql.Rows) (name string, err error) { return name, r.Scan(&name) },
		`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT GLOB 'words*'`)
	if err != nil {
		return err
	}
	return s.tx(ctx, func(ctx context.Context) error {
		for _, t := range tables {
			if t == "position" {
				continue
			}
			if err := s.exec(ctx, `DELETE FROM "`+t+`"`); err != nil {
				return err
			}
		}
		if err := s.exec(ctx, `INSERT INTO words (words) VALUES ('delete-all')`); err != nil {
			return err
		}
		return s.exec(ctx, `UPDATE position SET seq = 0, print = x''`)
	})
}

func (s *store) close() error {
	var errs []error
	for _, stmt := range s.prepared {
		errs = append(errs, stmt.Close())
	}
	if s.w != nil {
		errs = append(errs, s.w.Close())
	}
	for _, db := range []*sql.DB{s.rdb, s.wdb} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

func joinClose(err error, s *store) error { return errors.Join(err, s.close()) }

func dsn(path string) string { return "file:" + (&url.URL{Path: path}).EscapedPath() }

// remove deletes the database with the files that SQLite keeps beside it.
func remove(path string) error {
	var errs []error
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func damaged(err error) bool {
	c := code(err)
	return c == lib.SQLITE_CORRUPT || c == lib.SQLITE_NOTADB
}

func code(err error) int {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

func storageError(path string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*andon.Error](err); ok {
		return err
	}
	switch {
	case code(err) == lib.SQLITE_FULL:
		return andon.Errorf(andon.KindUnavailable, "the disk of the history %s is full", path).
			WithHint("free some space; andon goes on by itself").Because(err)
	case code(err) == lib.SQLITE_BUSY:
		return andon.Errorf(andon.KindConflict, "another process writes to the history %s", path).
			WithHint("stop the other server of this data directory").Because(err)
	case damaged(err):
		return andon.Errorf(andon.KindInternal, "the history %s is damaged", path).
			WithHint("restart the server: it makes the history again from the journal, in %s", filepath.Dir(path)).Because(err)
	}
	return fmt.Errorf("history: %w", err)
}
