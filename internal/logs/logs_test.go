package logs_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/logs"
)

const name = "task/shop.42.commit.test.1/1"

var when = time.Date(2026, 11, 21, 6, 0, 0, 0, time.UTC)

func open(t testing.TB, dir string, o logs.Options) *logs.Store {
	t.Helper()
	s, err := logs.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func appendAll(t testing.TB, s *logs.Store, stream string, offset int64, text string) int64 {
	t.Helper()
	next, err := s.Append(stream, offset, []byte(text), when)
	if err != nil {
		t.Fatalf("append at %d: %v", offset, err)
	}
	return next
}

func content(t testing.TB, s *logs.Store, stream string) string {
	t.Helper()
	var all []byte
	for {
		p, err := s.Read(stream, int64(len(all)), 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(p) == 0 {
			return string(all)
		}
		all = append(all, p...)
	}
}

func info(t testing.TB, s *logs.Store, stream string) logs.Info {
	t.Helper()
	i, err := s.Info(stream)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func texts(l logs.Lines) []string {
	var all []string
	for _, line := range l.Lines {
		all = append(all, string(line.Text))
	}
	return all
}

func TestAppend_IgnoresWhatIsThereAndRefusesGaps(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), logs.Options{})
	for _, c := range []struct {
		offset int64
		text   string
		next   int64
		want   string
	}{
		{5, "gap", 0, ""},
		{0, "hello\n", 6, "hello\n"},
		{0, "hello\n", 6, "hello\n"},
		{3, "XXXworld", 11, "hello\nworld"},
		{12, "gap", 11, "hello\nworld"},
		{11, "", 11, "hello\nworld"},
		{11, "!\n", 13, "hello\nworld!\n"},
	} {
		if next := appendAll(t, s, name, c.offset, c.text); next != c.next {
			t.Fatalf("append %q at %d: next is %d, want %d", c.text, c.offset, next, c.next)
		}
		if got := content(t, s, name); got != c.want {
			t.Fatalf("append %q at %d: the log is %q, want %q", c.text, c.offset, got, c.want)
		}
	}
	if i := info(t, s, name); i.Size != 13 || i.Lines != 2 || i.Finished {
		t.Fatalf("info: %+v", i)
	}
	if _, err := s.Append(name, -1, []byte("x"), when); andon.KindOf(err) != andon.KindInvalid {
		t.Fatalf("a negative offset: %v", err)
	}
}

func TestNames_ThatAreHostileNeverLeaveTheDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "logs"), logs.Options{})
	for _, hostile := range []string{
		"", ".", "..", "../x", "a/../../x", "/etc/passwd", "a//b", "a/./b", "a/", "-rf", ".hidden", "a/.b",
		"a\x00b", "a\\b", "a b", "a\nb", "a/b/c/d/e/f/g", strings.Repeat("x", 201), "häuser", "~root",
	} {
		if _, err := s.Append(hostile, 0, []byte("x"), when); andon.KindOf(err) != andon.KindInvalid {
			t.Errorf("append to %q: %v", hostile, err)
		}
		if _, err := s.Read(hostile, 0, 1); andon.KindOf(err) != andon.KindInvalid {
			t.Errorf("read %q: %v", hostile, err)
		}
		if err := s.Remove(hostile); andon.KindOf(err) != andon.KindInvalid {
			t.Errorf("remove %q: %v", hostile, err)
		}
	}
	// A link inside the directory does not lead out of it either.
	outside := filepath.Join(dir, "outside")
	if err := errors.Join(os.Mkdir(outside, 0o700), os.Symlink(outside, filepath.Join(dir, "logs", "link"))); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append("link/x", 0, []byte("x"), when); err == nil {
		t.Error("a link led out of the directory")
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
		t.Errorf("outside: %v %v", entries, err)
	}
}

func TestFinish_EndsAStream(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, logs.Options{})
	appendAll(t, s, name, 0, "one\ntwo")
	for range 2 {
		if err := s.Finish(name, when); err != nil {
			t.Fatal(err)
		}
	}
	check := func(s *logs.Store) {
		t.Helper()
		if i := info(t, s, name); !i.Finished || i.Size != 7 || i.Lines != 2 {
			t.Fatalf("info: %+v", i)
		}
		if next := appendAll(t, s, name, 0, "one\ntwo"); next != 7 {
			t.Fatalf("repeating what is there: next is %d", next)
		}
		if next, err := s.Append(name, 7, []byte("more"), when); andon.KindOf(err) != andon.KindConflict || next != 7 {
			t.Fatalf("append to a finished log: %d %v", next, err)
		}
	}
	check(s)
	check(open(t, dir, logs.Options{}))
	if err := s.Finish("task/silent/1", when); err != nil {
		t.Fatal(err)
	}
	if i := info(t, s, "task/silent/1"); !i.Finished || i.Size != 0 || i.Lines != 0 {
		t.Fatalf("a log that nobody wrote to: %+v", i)
	}
}

func TestCrash_TheWriterGoesOnFromWhatIsThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := logs.Open(dir, logs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	lines := randomLog(rand.New(rand.NewPCG(9, 9)), 3000)
	whole := strings.Join(lines, "\n")
	appendAll(t, s, name, 0, whole[:len(whole)-100])
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// The loss of power takes the end of the log, but not of the index.
	kept := int64(len(whole) / 2)
	if err := os.Truncate(filepath.Join(dir, name+".part"), kept); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, logs.Options{})
	next := appendAll(t, s, name, int64(len(whole)-100), whole[len(whole)-100:])
	if next != kept {
		t.Fatalf("next is %d, want %d", next, kept)
	}
	appendAll(t, s, name, next, whole[next:])
	if content(t, s, name) != whole {
		t.Fatal("the log differs")
	}
	checkLines(t, rand.New(rand.NewPCG(3, 3)), s, lines)
}

func TestLimit_CutsTheLogAndSaysSo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, logs.Options{Limit: 10})
	if next := appendAll(t, s, name, 0, "12345\n789"); next != 9 {
		t.Fatal(next)
	}
	if next := appendAll(t, s, name, 9, "0ab"); next != 12 {
		t.Fatalf("next is %d, want 12: bytes are dropped, and the writer goes on", next)
	}
	if next := appendAll(t, s, name, 12, strings.Repeat("x", 100)); next != 112 {
		t.Fatal(next)
	}
	const notice = "12345\n7890\nandon: this log reached its limit of 10 bytes; what follows was dropped\n"
	if got := content(t, s, name); got != notice {
		t.Fatalf("the log is %q", got)
	}
	// A restart forgets how much was dropped: the writer is asked for it again.
	again := open(t, dir, logs.Options{Limit: 10})
	if next := appendAll(t, again, name, 112, "y"); next != 10 {
		t.Fatalf("after a restart next is %d, want 10", next)
	}
	if next := appendAll(t, again, name, 10, strings.Repeat("x", 103)); next != 113 {
		t.Fatal(next)
	}
	if err := again.Finish(name, when); err != nil {
		t.Fatal(err)
	}
	if got := content(t, again, name); got != notice+"andon: 103 bytes were dropped\n" {
		t.Fatalf("the log is %q", got)
	}
	if i := info(t, again, name); i.Lines != 4 || i.Dropped != 103 {
		t.Fatalf("info: %+v", i)
	}
}

func TestOpenFiles_AreBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, logs.Options{Open: 4})
	for round := range 3 {
		for i := range 60 {
			appendAll(t, s, fmt.Sprintf("task/t%d/1", i), int64(round*2), "x\n")
		}
	}
	if open := openFiles(t, dir); len(open) == 0 || len(open) > 2*4+1 { // a log and its index each, and the directory
		t.Fatalf("%d files are open: %q", len(open), open)
	}
	for i := range 60 {
		if got := content(t, s, fmt.Sprintf("task/t%d/1", i)); got != "x\nx\nx\n" {
			t.Fatalf("log %d is %q", i, got)
		}
	}
}

// openFiles returns what this process has open in a directory. Tests beside this one open files too,
// elsewhere, and close them while this looks.
func openFiles(t *testing.T, dir string) (open []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("this system does not list the open files of a process: %v", err)
	}
	for _, e := range entries {
		if target, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name())); err == nil && strings.HasPrefix(target, dir) {
			open = append(open, target)
		}
	}
	return open
}

func TestRemoveAndStreams(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, logs.Options{})
	all := []string{"instance/shop.production.7.0", "task/a/1", "task/a/2", "task/b/1"}
	for _, n := range all {
		appendAll(t, s, n, 0, strings.Repeat("line\n", 20_000))
	}
	if err := s.Finish("task/a/2", when); err != nil {
		t.Fatal(err)
	}
	list := func(dir string) (names []string) {
		for n, err := range s.Streams(dir) {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, n)
		}
		return names
	}
	if got := list(""); !slices.Equal(got, all) {
		t.Fatalf("streams: %q", got)
	}
	if got := list("instance"); !slices.Equal(got, all[:1]) {
		t.Fatalf("streams of copies: %q", got)
	}
	if got := list("nothing"); got != nil {
		t.Fatalf("streams of nothing: %q", got)
	}
	for _, n := range []string{"task/a/2", "task/a/1", "task/a/1"} {
		if err := s.Remove(n); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Info("task/a/1"); andon.KindOf(err) != andon.KindNotFound {
		t.Fatalf("info of a removed log: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "task", "a")); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("its directory is still there: %v", err)
	}
	if next := appendAll(t, s, "task/a/1", 0, "new\n"); next != 4 || content(t, s, "task/a/1") != "new\n" {
		t.Fatal("a log of the same name does not begin anew")
	}
}
