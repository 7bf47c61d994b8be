package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/journal/journaltest"
	"github.com/andon-cd/andon/internal/journal/sqlite"
)

// appendUntilKilled, in the environment, makes the test binary the child of TestKill.
const appendUntilKilled = "ANDON_TEST_APPEND_TO"

func TestMain(m *testing.M) {
	if path := os.Getenv(appendUntilKilled); path != "" {
		fmt.Fprintln(os.Stderr, appendForever(context.Background(), path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// appendForever appends batches of 1 to 7 events and prints the head after each answer.
func appendForever(ctx context.Context, path string) error {
	j, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	head, err := j.Head(ctx)
	for i := 0; err == nil; i++ {
		var sealed []andon.Event
		if sealed, err = j.Append(ctx, head, journaltest.Events(i%7+1)); err == nil {
			head = sealed[len(sealed)-1].Seq
			fmt.Println(head)
		}
	}
	return err
}

func TestKill_InTheMiddleOfAppendsLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal.db")
	for round := range 5 {
		acknowledged := killAfter(t, path, 20+37*round)
		j, err := sqlite.Open(t.Context(), path)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		head, err := j.Head(t.Context())
		if err != nil || head < acknowledged {
			t.Fatalf("round %d: event %d was acknowledged, and the journal ends at %d (%v)", round, acknowledged, head, err)
		}
		if err := j.Verify(t.Context(), nil); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killAfter runs a child that appends, kills it after so many answers, and returns the last one.
func killAfter(t *testing.T, path string, answers int) andon.Seq {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), appendUntilKilled+"="+path)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var last int64
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		// A line that the kill cut off was not given whole.
		if seq, err := strconv.ParseInt(lines.Text(), 10, 64); err == nil {
			last = max(last, seq)
		}
		if n == answers {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || stderr.Len() > 0 {
		t.Fatalf("the child ended by itself: %v %s", err, stderr.String())
	}
	return andon.Seq(last)
}
