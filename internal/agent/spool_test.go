package agent

import (
	"os"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
)

func TestSpool_KeepsTheLastLineThatIsWhole(t *testing.T) {
	s, err := openSpool(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	begun := spooled{Lease: andon.Lease{Token: 7, Task: andon.Task{ID: "shop.1.commit.build.1"}}}
	ended := begun
	ended.Result = &andon.TaskResult{Outcome: andon.Succeeded}
	for _, entry := range []spooled{begun, ended} {
		if err := s.put(entry); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := s.all(); err != nil || len(all) != 1 || all[0].Result == nil || all[0].Result.Outcome != andon.Succeeded {
		t.Fatalf("the spool has %+v, %v", all, err)
	}
	whole, err := os.ReadFile(s.path(7))
	if err != nil {
		t.Fatal(err)
	}
	// A power cut tore the result off.
	if err := os.WriteFile(s.path(7), whole[:len(whole)-10], 0o600); err != nil {
		t.Fatal(err)
	}
	if all, err := s.all(); err != nil || len(all) != 1 || all[0].Result != nil || all[0].Lease.Task.ID != begun.Lease.Task.ID {
		t.Errorf("of a torn result the spool has %+v, %v", all, err)
	}
	// Nothing whole is left.
	if err := os.WriteFile(s.path(7), whole[:10], 0o600); err != nil {
		t.Fatal(err)
	}
	if all, err := s.all(); err != nil || len(all) != 0 {
		t.Errorf("of a torn file the spool has %+v, %v", all, err)
	}
}
