// Package copylog keeps what one copy writes, for the drivers of package platform: a file in
// the copy's directory to which somebody appends, whose positions never change and whose old
// part goes when it becomes too large.
//
// The log is bounded by freeing the disk blocks of its old part (a hole in the file), so who
// appends notices nothing. Where the file system cannot do that, the file is emptied, and
// log.base says how many bytes were in it before.
package copylog

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	logFile  = "log"
	baseFile = "log.base"
	// trimUnit is a multiple of every usual block size: only whole blocks are freed.
	trimUnit = 64 << 10
)

// DefaultLimit is how many bytes of a copy's log are kept at most, if nobody says otherwise.
const DefaultLimit = 64 << 20

// Append opens the log of a directory for writing at its end, and makes it if there is none.
func Append(dir string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, logFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// End returns the offset of what is written next, 0 if there is no log.
func End(dir string) (int64, error) {
	base, err := readBase(dir)
	if err != nil {
		return 0, err
	}
	info, err := os.Stat(filepath.Join(dir, logFile))
	if errors.Is(err, os.ErrNotExist) {
		return base, nil
	}
	if err != nil {
		return 0, err
	}
	return base + info.Size(), nil
}

// Trim frees the old part of a log that takes more than limit bytes; the newest quarter of
// them is kept. It reports whether there was one. Without a log its error is os.ErrNotExist.
// Nobody else may trim at that time.
func Trim(dir string, limit int64) (trimmed bool, err error) {
	path := filepath.Join(dir, logFile)
	info, err := os.Stat(path)
	if err != nil || info.Size() <= limit {
		return false, err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if info.Size()-firstData(f) <= limit {
		return false, nil
	}
	cut := (info.Size() - limit/4) / trimUnit * trimUnit
	if cut <= 0 || punchHole(f, cut) == nil {
		return true, nil
	}
	base, err := readBase(dir)
	if err != nil {
		return false, err
	}
	if err := writeBase(dir, base+info.Size()); err != nil {
		return false, err
	}
	return true, f.Truncate(0)
}

func readBase(dir string) (int64, error) {
	b, err := os.ReadFile(filepath.Join(dir, baseFile))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
}

func writeBase(dir string, base int64) error {
	path := filepath.Join(dir, baseFile)
	if err := os.WriteFile(path+".new", []byte(strconv.FormatInt(base, 10)+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
