package sqlite

import (
	"errors"
	"path/filepath"
	"syscall"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/journal"
)

// classify makes an error of the storage, or of the chain, one that people understand. Errors
// that are meant for them already pass through.
func classify(path string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*andon.Error](err); ok {
		return err
	}
	if d, ok := errors.AsType[*journal.Damage](err); ok {
		return andon.Errorf(andon.KindInternal, "the journal %s is damaged at event %d: %s", path, d.Seq, d.What).
			WithHint("run `andon audit verify --data %s`, and restore from a backup", filepath.Dir(path)).
			Because(err)
	}
	switch {
	case isFull(err):
		return andon.Errorf(andon.KindUnavailable, "the disk of the journal %s is full; nothing was recorded", path).
			WithHint("free some space; andon goes on by itself").
			Because(err)
	case code(err) == lib.SQLITE_BUSY:
		return andon.Errorf(andon.KindConflict, "another process writes to the journal %s", path).
			WithHint("stop the other server of this data directory").
			Because(err)
	case code(err) == lib.SQLITE_READONLY, code(err) == lib.SQLITE_CANTOPEN, code(err) == lib.SQLITE_PERM:
		return andon.Errorf(andon.KindUnavailable, "the journal %s cannot be opened for writing", path).Because(err)
	case code(err) == lib.SQLITE_IOERR:
		return andon.Errorf(andon.KindUnavailable, "the disk of the journal %s does not work", path).
			WithHint("look into the system's log; nothing that was acknowledged is lost").
			Because(err)
	case code(err) == lib.SQLITE_CORRUPT, code(err) == lib.SQLITE_NOTADB:
		return andon.Errorf(andon.KindInternal, "the journal %s is damaged", path).
			WithHint("run `andon audit verify --data %s`, and restore from a backup", filepath.Dir(path)).
			Because(err)
	}
	return err
}

// unreadable returns err as damage at an event when the storage says that the file is damaged.
func unreadable(seq andon.Seq, err error) error {
	switch code(err) {
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return &journal.Damage{Seq: seq, What: "the database file is cut off or overwritten there", Cause: err}
	case lib.SQLITE_IOERR:
		return &journal.Damage{Seq: seq, What: "the disk cannot read it", Cause: err}
	case lib.SQLITE_ERROR:
		return &journal.Damage{Seq: seq, What: "the tables of the database are not a journal's", Cause: err}
	}
	return err
}

func isFull(err error) bool {
	return code(err) == lib.SQLITE_FULL || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// code returns the primary result code of SQLite in err's chain, and 0 without one.
func code(err error) int {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}
