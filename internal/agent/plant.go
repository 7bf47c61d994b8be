package agent

import (
	"context"

	"github.com/andon-cd/andon/internal/andon"
)

// Plant is the server, as an agent sees it. Dial returns the one over HTTP.
//
// All methods may be called from several goroutines at once, and each call is one try: the
// agent repeats it. Errors of kind andon.KindConflict or andon.KindNotFound mean, for calls
// that carry an epoch, that the server does not know it any more: the agent says Hello again.
type Plant interface {
	// Hello connects the agent. An older connection of the same name ends. Errors of kind
	// andon.KindSignIn or andon.KindRefused mean that the server does not take the agent.
	Hello(ctx context.Context, hello andon.Hello) (andon.Welcome, error)
	// Work returns what the agent should do, at once if that is newer than the request's
	// revision, and otherwise when it changes or after some seconds.
	Work(ctx context.Context, request andon.WorkRequest) (andon.Work, error)
	// Report tells how a task ended. Repeating it changes nothing.
	Report(ctx context.Context, report andon.TaskReport) error
	// Observe tells what runs here.
	Observe(ctx context.Context, observation andon.Observation) error
	// Count tells the running ledgers of the proxy.
	Count(ctx context.Context, counters andon.Counters) error
	// AppendLog appends p to a log if it is offset bytes long. It returns the log's length:
	// less than offset if bytes are missing, and then nothing was appended; bytes that are
	// there already are skipped. With an empty p it only asks.
	AppendLog(ctx context.Context, stream string, offset int64, p []byte) (next int64, err error)
}

// gone reports whether an error means that the server does not know the agent's connection.
func gone(err error) bool {
	kind := andon.KindOf(err)
	return kind == andon.KindConflict || kind == andon.KindNotFound
}

// refused reports whether an error means that the server does not take the agent: its token is
// not known there, or is another's.
func refused(err error) bool {
	kind := andon.KindOf(err)
	return kind == andon.KindSignIn || kind == andon.KindRefused
}
