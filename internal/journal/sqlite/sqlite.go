package sqlite

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

	_ "modernc.org/sqlite" // the driver

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/journal"
)

// schema creates everything in an empty file.
//
//go:embed schema.sql
var schema string

const (
	// applicationID marks a SQLite file as a journal: "andJ".
	applicationID = 0x616e644a
	// format is the version of the schema and of the hash formula, kept in user_version.
	format = 1
	// tail is how many of the last events are checked when a journal is opened.
	tail = 1000
	// readers bounds the connections that read at once.
	readers = 4
	// cache is small: what is appended is seldom read again. It is per connection, in KiB.
	cache = "_pragma=cache_size(-512)"
)

// A Journal is a journal in one file. It implements journal.Journal.
type Journal struct {
	path string
	db   *sql.DB // read only
	w    *writer

	mu   sync.RWMutex
	head journal.Chain // the last event that is durable
}

// Open opens the journal at path, and creates it if there is none. It checks the end of the
// journal against its head; Verify checks all of it. A damaged journal and one of a newer
// version are refused. Only one process may have it open.
func Open(ctx context.Context, path string) (*Journal, error) {
	if err := create(path); err != nil {
		return nil, err
	}
	w, err := openWriter(ctx, path)
	if err != nil {
		return nil, classify(path, err)
	}
	j := &Journal{path: path, w: w}
	j.db, err = openReaders(path)
	if err == nil {
		err = j.checkTail(ctx)
	}
	if err != nil {
		return nil, classify(path, errors.Join(err, j.Close()))
	}
	return j, nil
}

// Verify checks the journal at path without opening it for writing, so it works on one that Open
// refuses and beside a server that appends. It reports as journal.Journal's Verify does.
func Verify(ctx context.Context, path string, report func(journal.Progress)) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return andon.Errorf(andon.KindNotFound, "there is no journal at %s", path)
	}
	db, err := openReaders(path)
	if err != nil {
		return classify(path, err)
	}
	j := &Journal{path: path, db: db}
	return classify(path, errors.Join(j.verify(ctx, report), db.Close()))
}

// Close closes all connections; SQLite then folds the WAL into the file.
func (j *Journal) Close() error {
	var errs []error
	if j.db != nil {
		errs = append(errs, j.db.Close())
	}
	if j.w != nil {
		errs = append(errs, j.w.close())
	}
	return errors.Join(errs...)
}

// Head returns the position of the last event that is durable.
func (j *Journal) Head(context.Context) (andon.Seq, error) {
	return j.chain().Seq, nil
}

func (j *Journal) chain() journal.Chain {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.head
}

// create makes an empty file with the permissions of a secret, where there is none. SQLite gives
// its WAL the same.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return andon.Errorf(andon.KindNotFound, "there is no directory %s for the journal", filepath.Dir(path)).Because(err)
	}
	if err != nil {
		return andon.Errorf(andon.KindUnavailable, "the journal %s cannot be opened", path).Because(err)
	}
	return f.Close()
}

func openReaders(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(path, "mode=ro", "_pragma=busy_timeout(5000)", "_pragma=query_only(1)", cache))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(readers)
	db.SetMaxIdleConns(1)
	return db, nil
}

// dsn returns the URI of the file for SQLite, with parameters that are URL-encoded already.
func dsn(path string, params ...string) string {
	s := "file:" + (&url.URL{Path: path}).EscapedPath()
	for i, p := range params {
		if i == 0 {
			s += "?" + p
		} else {
			s += "&" + p
		}
	}
	return s
}

// checkFormat refuses a file that is not a journal, or one of a newer andon. It returns 0 for an
// empty file.
func checkFormat(ctx context.Context, q querier, path string) (int, error) {
	var id, version, tables int
	err := q.QueryRowContext(ctx,
		`SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version),
		        (SELECT count(*) FROM sqlite_schema)`).Scan(&id, &version, &tables)
	if err != nil {
		return 0, fmt.Errorf("read the format of the journal: %w", err)
	}
	switch {
	case id == 0 && version == 0 && tables == 0:
		return 0, nil
	case id != applicationID:
		return 0, andon.Errorf(andon.KindInvalid, "%s is not a journal of andon", path).
			WithHint("point --data at the directory of a plant, or at a new one")
	case version > format:
		return 0, andon.Errorf(andon.KindInvalid,
			"the journal %s was written by a newer version of andon (its format is %d, and this version knows %d)", path, version, format).
			WithHint("run the version of andon that wrote it, or a later one")
	}
	return version, nil
}

// A querier is a database or one connection of it.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}
