package runner_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/agent/runner"
	"github.com/andon-cd/andon/internal/andon"
)

func TestJob_TimesOutAStepThatLeftItsGroup(t *testing.T) {
	b := newBed(t, nil)
	b.outOfTime("escaped", func(timeout time.Duration) andon.Lease {
		lease := b.job("echo; echo escaped=$$; exec setsid sleep 300")
		lease.Task.Steps[0].Timeout = timeout
		return lease
	})
}

func TestJob_EndsThoughAProcessThatNobodyFindsKeepsItsOutputOpen(t *testing.T) {
	for name, writes := range map[string]string{
		"without a pause": "exec yes",
		"now and then":    "while echo x; do sleep 0.02; done",
		"nothing":         "exec sleep 300",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, nil)
			lines := &counting{}
			// It has neither the task's group nor its environment.
			// It begins to write once its number is in the log, of which only the beginning is kept.
			script := "mkfifo begun go; env -i setsid sh -c 'echo $$ > begun; read go < go; " + writes + "' & read pid < begun; echo; echo hidden=$pid; echo > go; test \"$pid\""
			result := b.runner.Run(t.Context(), b.job(script), runner.Surroundings{Log: lines})
			succeeded(t, result, lines.begin.String())
			pid := after(t, lines.begin.String(), "hidden")
			t.Cleanup(func() { kill(pid) })
			b.leftNothing()
		})
	}
}

// counting keeps the beginning of what is written to it.
type counting struct{ begin strings.Builder }

func (c *counting) Write(p []byte) (int, error) {
	if c.begin.Len() < 1<<20 {
		c.begin.Write(p)
	}
	return len(p), nil
}

func TestJob_GivesEveryProcessOfAStepTheGraceToEndByItself(t *testing.T) {
	b := newBed(t, map[string]string{"deploy.sh": `trap 'sleep 0.2; echo unlocked; exit 0' TERM
sleep 300 & echo; echo begun; wait
`})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log := newLog()
	done := make(chan andon.TaskResult, 1)
	// The shell of the step dies of the signal at once; what it started cleans up for a moment.
	go func() {
		done <- b.runner.Run(ctx, b.job("sh deploy.sh; echo never"), runner.Surroundings{Log: log})
	}()
	log.await(t, "\nbegun\n")
	cancel()
	if result := <-done; result.Outcome != andon.Cancelled || !strings.Contains(log.String(), "unlocked\n") || strings.Contains(log.String(), "\nnever\n") {
		t.Errorf("result %+v\n%s", result, log.String())
	}
	b.leftNothing()
}
