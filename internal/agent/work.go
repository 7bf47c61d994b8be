package agent

import (
	"context"

	"github.com/andon-cd/andon/internal/agent/runner"
	"github.com/andon-cd/andon/internal/andon"
)

// Runner runs tasks on this host. Package runner has the real one.
type Runner interface {
	// Run runs a task and returns when it has ended and nothing of it runs any more. When ctx
	// ends, it kills the task; the result is then andon.Cancelled.
	Run(ctx context.Context, lease andon.Lease, at runner.Surroundings) andon.TaskResult
	// Recover ends what an earlier runner of the same directory left running, and returns the
	// leases of those tasks.
	Recover(ctx context.Context) ([]andon.Lease, error)
}

var _ Runner = (*runner.Runner)(nil)
