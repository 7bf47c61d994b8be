package runner

import (
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/andon-cd/andon/internal/andon"
)

const (
	// maxReports bounds the files that a job's globs may name.
	maxReports = 2000
	// maxReport bounds what is read of one of them.
	maxReport = 64 << 20
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
	for _, file := range files {
		if err := readReport(root, file, &summary); err != nil {
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

// reportFiles returns the files that match a glob. "**/" at its start matches any directory.
func reportFiles(files fs.FS, globs []string) []string {
	var found []string
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] && len(found) < maxReports {
			seen[name] = true
			found = append(found, name)
		}
	}
	for _, glob := range globs {
		if rest, deep := cutDeep(glob); deep {
			_ = fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
				if err != nil || entry.IsDir() {
					return nil //nolint:nilerr // what cannot be read holds no reports
				}
				if ok, _ := path.Match(rest, path.Base(name)); ok {
					add(name)
				}
				return nil
			})
			continue
		}
		names, err := fs.Glob(files, path.Clean(glob))
		if err != nil {
			continue // the parser of andon.yaml refuses a glob that is none
		}
		for _, name := range names {
			add(name)
		}
	}
	return found
}

func cutDeep(glob string) (rest string, deep bool) {
	if len(glob) > 3 && glob[:3] == "**/" {
		return glob[3:], true
	}
	return glob, false
}

func readReport(root *os.Root, file string, into *andon.TestSummary) error {
	f, err := root.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("it is no file")
	case info.Size() > maxReport:
		return fmt.Errorf("it has more than %d bytes", maxReport)
	}
	return readJUnit(f, into)
}
