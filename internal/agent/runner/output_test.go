package runner

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestOutput_HasWhatWasWrittenBeforeItsTimeWasOver(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close() // as a process does that nobody found
	if _, err := write.WriteString("the last words\n"); err != nil {
		t.Fatal(err)
	}
	if err := read.SetReadDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	(&output{read: read}).copy(&log)
	if log.String() != "the last words\n" {
		t.Errorf("the log is %q", log.String())
	}
}
