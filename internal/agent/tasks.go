package agent

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/andon-cd/andon/internal/agent/runner"
	"github.com/andon-cd/andon/internal/andon"
)

// How long a task that has ended may keep the agent.
const (
	lastLog  = 2 * time.Minute // until its log is at the server, after which it is reported without
	farewell = 3 * time.Second // when the agent ends: for the rest of the log and the report together
)

// errCancelled is why a running task is killed when the agent does not end.
var errCancelled = errors.New("the plant ended the task")

// tasks runs what is leased to the agent.
type tasks struct {
	agent      *Agent
	spool      *spool
	parts      sync.WaitGroup // a goroutine for each lease
	unreported []spooled      // what an earlier agent began, or ended, and did not report

	mu      sync.Mutex
	leases  []andon.Lease // as the server said last
	running map[andon.Token]*running
	ended   map[andon.Token]bool // leases that were run here and that the server still names
	jobs    int                  // running ones, at most as many as there are slots
}

// A running is a lease that is being worked on.
type running struct {
	lease andon.Lease
	kill  context.CancelCauseFunc
}

// recover ends what an earlier agent left running, and finds what it did not report. It is
// called before anything is leased to this agent.
func (t *tasks) recover(ctx context.Context) error {
	left, err := t.agent.config.Runner.Recover(ctx)
	if err != nil {
		return err
	}
	entries, err := t.spool.all()
	if err != nil {
		return err
	}
	for _, lease := range left {
		if !slices.ContainsFunc(entries, func(e spooled) bool { return e.Lease.Token == lease.Token }) {
			entries = append(entries, spooled{Lease: lease})
		}
	}
	now := time.Now().UTC()
	for _, e := range entries {
		if e.Result == nil {
			e.Result = &andon.TaskResult{
				Outcome: andon.Lost, Reason: "The agent was restarted while the task ran.", Started: now, Ended: now,
			}
			if err := t.spool.put(e); err != nil {
				return err
			}
		}
		t.ended[e.Lease.Token] = true
		t.unreported = append(t.unreported, e)
	}
	return nil
}

// deliverUnreported reports what an earlier agent did not, as soon as there is a server.
func (t *tasks) deliverUnreported(ctx context.Context) {
	for _, e := range t.unreported {
		t.parts.Go(func() { t.deliver(ctx, e) })
	}
}

// assign takes the leases that the server says are this agent's: it begins the new ones as far
// as there are slots, and kills those that are cancelled or not named any more.
func (t *tasks) assign(ctx context.Context, leases []andon.Lease) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.leases = leases
	named := make(map[andon.Token]bool, len(leases))
	for _, l := range leases {
		named[l.Token] = true
		if r := t.running[l.Token]; r != nil && l.Cancel {
			r.kill(errCancelled)
		}
	}
	for token, r := range t.running {
		if !named[token] {
			r.kill(errCancelled)
		}
	}
	for token := range t.ended {
		if !named[token] {
			delete(t.ended, token)
		}
	}
	t.begin(ctx)
}

// begin starts what may be started. The caller holds mu.
func (t *tasks) begin(ctx context.Context) {
	for _, l := range t.leases {
		job := l.Task.Kind != andon.TaskSmoke
		if t.running[l.Token] != nil || t.ended[l.Token] || ctx.Err() != nil {
			continue
		}
		if job && !l.Cancel && t.jobs >= andon.Room(t.agent.config.Slots) {
			continue // a slot is not free yet
		}
		if job {
			t.jobs++
		}
		work, kill := context.WithCancelCause(ctx)
		if l.Cancel {
			kill(errCancelled)
		}
		t.running[l.Token] = &running{lease: l, kill: kill}
		t.parts.Go(func() {
			defer kill(nil)
			entry := t.run(work, l)
			t.mu.Lock()
			delete(t.running, l.Token)
			t.ended[l.Token] = true
			if job {
				t.jobs--
			}
			t.begin(ctx)
			t.mu.Unlock()
			t.deliver(ctx, entry)
		})
	}
}

// run runs one lease to its end and returns what is to be reported.
func (t *tasks) run(ctx context.Context, lease andon.Lease) spooled {
	began := time.Now().UTC()
	entry := spooled{Lease: lease}
	ended := func(outcome andon.Outcome, reason string) spooled {
		entry.Result = &andon.TaskResult{Outcome: outcome, Reason: reason, Started: began, Ended: time.Now().UTC()}
		return entry
	}
	if errors.Is(context.Cause(ctx), errCancelled) {
		return ended(andon.Cancelled, "It was cancelled before it began.")
	}
	if err := t.spool.put(entry); err != nil {
		t.agent.config.Log.Error("a task cannot be begun", "task", lease.Task.ID, "error", err)
		return ended(andon.Lost, "The agent cannot write to its disk.")
	}
	out := newShipper(ctx, t.agent.config.Plant, lease.LogStream(), t.agent.config.Log)
	tested, _ := t.agent.board.copy(lease.Task.Instance)
	result := t.agent.config.Runner.Run(ctx, lease, t.surroundings(lease, out))
	if now, _ := t.agent.board.copy(lease.Task.Instance); now.Run != tested.Run && result.Outcome == andon.Succeeded {
		result.Outcome, result.Reason = andon.Lost, "The copy was started again while it was tested."
	}
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), errCancelled) && result.Outcome == andon.Cancelled {
		result.Outcome, result.Reason = andon.Lost, "The agent was stopped while the task ran."
	}
	entry.Result = &result
	if err := t.spool.put(entry); err != nil {
		t.agent.config.Log.Error("a result cannot be written to disk before it is reported", "task", lease.Task.ID, "error", err)
	}
	last, cancel := graceful(ctx, lastLog)
	defer cancel()
	out.close(last)
	return entry
}

// surroundings says where a task finds what it tests.
func (t *tasks) surroundings(lease andon.Lease, out *shipper) runner.Surroundings {
	at := runner.Surroundings{Log: out}
	place := andon.Place{Service: lease.Task.Version.Service, Environment: lease.Task.Target}
	if lease.Task.Instance != "" {
		if s, ok := t.agent.board.copy(lease.Task.Instance); ok && s.Address != "" {
			at.CopyURL = "http://" + s.Address
		}
		if k := t.agent.fleet.keeper(lease.Task.Instance); k != nil {
			place = k.place
		}
	}
	if r, ok := t.agent.board.route(place); ok && r.Address != "" {
		at.RouteURL = "http://" + r.Address
	}
	if d, ok := t.agent.store.place(place); ok && d.Route != nil && len(d.Route.Hosts) > 0 {
		at.RouteHost = d.Route.Hosts[0]
	}
	return at
}

// deliver reports a result until the server has acknowledged it, or says that it does not want
// it. When ctx ends, there is one more try; what remains in the spool is for the next agent.
func (t *tasks) deliver(ctx context.Context, entry spooled) {
	pause := towardsPlant()
	for {
		epoch, err := t.agent.link.await(ctx)
		if err != nil {
			return
		}
		call, cancel := graceful(ctx, callTimeout)
		err = t.agent.config.Plant.Report(call, andon.TaskReport{
			Epoch: epoch, Task: entry.Lease.Task.ID, Token: entry.Lease.Token, Result: *entry.Result,
		})
		cancel()
		switch kind := andon.KindOf(err); {
		case err == nil:
			t.forget(entry.Lease)
			return
		case gone(err) && t.agent.link.outlives(ctx, epoch, pollTimeout):
			// Not the connection is unknown, but the lease.
			fallthrough
		case kind == andon.KindInvalid, kind == andon.KindRefused:
			t.agent.config.Log.Warn("the server does not want a result", "task", entry.Lease.Task.ID, "token", entry.Lease.Token, "error", err)
			t.forget(entry.Lease)
			return
		}
		if ctx.Err() != nil || !sleep(ctx, pause.pause()) {
			return
		}
	}
}

func (t *tasks) forget(lease andon.Lease) {
	if err := t.spool.remove(lease.Token); err != nil {
		t.agent.config.Log.Warn("a reported result stays in the spool", "task", lease.Task.ID, "error", err)
	}
}

// graceful returns a context that ends after a time at most; once ctx has ended, which is when
// the agent ends or kills the task, it lasts for farewell at most.
func graceful(ctx context.Context, atMost time.Duration) (context.Context, context.CancelFunc) {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), atMost)
	stop := context.AfterFunc(ctx, func() {
		sleep(last, farewell)
		cancel()
	})
	return last, func() { stop(); cancel() }
}
