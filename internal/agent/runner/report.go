package runner

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/andon-cd/andon/internal/andon"
)

const (
	// maxReports bounds the files that a job's globs may name.
	maxReports = 2000
	// maxReport bounds the bytes of one of them, and maxReportBytes those of all together: nobody can
	// cancel a job whose steps have ended.
	maxReport      = 64 << 20
	maxReportBytes = 256 << 20
)

// readReports adds what the job's JUnit XML files say to its result. Reports are read also when
// a step failed: that is when they matter. A failing test fails the job even if its step did not.
func (w *work) readReports(result *andon.TaskResult) {
	if len(w.lease.Task.JUnit) == 0 {
		return
	}
	root, err := os.OpenRoot(w.workspace)
	if err != nil {
		return // without a checkout there are no reports
	}
	defer root.Close()
	var summary andon.TestSummary
	files := reportFiles(root.FS(), w.lease.Task.JUnit)
	left := int64(maxReportBytes)
	for _, file := range files {
		if err := readReport(root, file, &left, &summary); err != nil {
			fmt.Fprintf(w.at.Log, "andon: the test report %s cannot be read: %v\n", file, err)
		}
	}
	if len(files) == 0 {
		fmt.Fprintf(w.at.Log, "andon: no test report matches %v\n", w.lease.Task.JUnit)
		return
	}
	result.Tests = &summary
	if summary.Failed > 0 && result.Outcome == andon.Succeeded {
		result.Outcome, result.Reason = andon.Failed, countTests(summary.Failed)
	}
}

func countTests(failed int) string {
	if failed == 1 {
		return "1 test failed"
	}
	return fmt.Sprintf("%d tests failed", failed)
}

// reportFiles returns the files that match one of the globs, in the order of their names. "**" is
// any number of directories; the rest is as in path.Match.
func reportFiles(files fs.FS, globs []string) []string {
	var patterns [][]string
	for _, glob := range globs {
		// Two "**" in a row mean the same as one.
		parts := slices.CompactFunc(strings.Split(path.Clean(glob), "/"), func(a, b string) bool { return a == "**" && b == "**" })
		patterns = append(patterns, parts)
	}
	var found []string
	_ = fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil //nolint:nilerr // what cannot be read holds no reports
		case entry.IsDir():
			if name != "." && (entry.Name() == ".git" || !anyMatch(patterns, name, true)) {
				return fs.SkipDir
			}
			return nil
		case len(found) == maxReports:
			return fs.SkipAll
		case anyMatch(patterns, name, false):
			found = append(found, name)
		}
		return nil
	})
	return found
}

// anyMatch reports whether a name matches a pattern or, for a directory, whether something in it may.
func anyMatch(patterns [][]string, name string, directory bool) bool {
	parts := strings.Split(name, "/")
	return slices.ContainsFunc(patterns, func(p []string) bool { return matches(p, parts, directory) })
}

func matches(pattern, name []string, directory bool) bool {
	for len(pattern) > 0 && pattern[0] != "**" {
		if len(name) == 0 {
			return directory
		}
		if ok, err := path.Match(pattern[0], name[0]); !ok || err != nil {
			return false // the parser of andon.yaml refuses a pattern that is none
		}
		pattern, name = pattern[1:], name[1:]
	}
	if len(pattern) == 0 {
		return len(name) == 0 && !directory
	}
	if directory {
		return true
	}
	for i := range len(name) + 1 {
		if matches(pattern[1:], name[i:], false) {
			return true
		}
	}
	return false
}

// readReport adds what a file says to a summary, and takes its size from what may still be read.
func readReport(root *os.Root, file string, left *int64, into *andon.TestSummary) error {
	// Whoever opens a named pipe waits for a writer, unless told not to.
	f, err := root.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("it is no file")
	case info.Size() > maxReport:
		return fmt.Errorf("it has more than %d bytes", maxReport)
	case info.Size() > *left:
		return fmt.Errorf("the reports of the job have more than %d bytes together", maxReportBytes)
	}
	*left -= info.Size()
	return readJUnit(io.LimitReader(f, info.Size()), into)
}
