package agent

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform"
)

// How a keeper treats its copy.
const (
	startTimeout = 15 * time.Minute // of one start: the artifact may have to be fetched
	stopExtra    = 30 * time.Second // beyond its grace, for the system to end a copy
)

// restarting is the back-off of a copy's restarts.
func restarting() backoff {
	return backoff{first: 200 * time.Millisecond, most: 30 * time.Second}
}

// A keeper keeps one copy running and well, restarts it when it ends or hangs, and ends it
// when it is retired. Its goroutine owns it but for what is marked.
type keeper struct {
	fleet   *fleet
	place   andon.Place
	copy    andon.Copy
	on      platform.Platform  // that runs the copy
	wanted  context.Context    // ends when the copy is retired, or the agent ends
	retire  context.CancelFunc // may be called by anybody
	poke    signal             // raised by anybody: the copy may have ended
	log     copyLog
	address string
	running bool // as far as known
	begun   bool // it was let run on this host once; the fleet's mu guards it
	started time.Time
	phase   andon.Phase
	healthy time.Time // since when it is, while it is
	pause   backoff
	count   int    // of restarts
	last    string // how it ended before the latest of them
}

// newKeeper returns the keeper of a copy, which it finds as inst (zero: it is new). A copy
// that had traffic before the agent began is taken for healthy until its first probe.
func newKeeper(f *fleet, place andon.Place, c andon.Copy, inst platform.Instance, served bool) *keeper {
	k := &keeper{
		fleet: f, place: place, copy: c, on: f.platform(c.Spec.Platform), poke: newSignal(), pause: restarting(),
		address: inst.Address, running: inst.Running, started: inst.Started, phase: andon.PhaseStarting,
		begun: inst.ID != "",
	}
	k.log = copyLog{agent: f.agent, on: k.on, id: c.ID}
	if served && inst.Running && k.matches(inst) {
		k.phase = andon.PhaseHealthy
	}
	k.show(k.phase, "")
	return k
}

// matches reports whether what runs is what should run.
func (k *keeper) matches(inst platform.Instance) bool {
	return inst.Artifact == k.copy.Artifact && inst.Config == k.copy.Config
}

// show puts the copy on the board.
func (k *keeper) show(phase andon.Phase, reason string) {
	if phase == andon.PhaseHealthy && (k.phase != phase || k.healthy.IsZero()) {
		k.healthy = time.Now()
	}
	if phase != andon.PhaseHealthy {
		k.healthy = time.Time{}
	}
	k.phase = phase
	k.fleet.agent.board.setCopy(andon.InstanceState{
		ID: k.copy.ID, Phase: phase, Artifact: k.copy.Artifact, Config: k.copy.Config,
		Address: k.address, Restarts: k.count, Run: k.life(), Reason: reason,
	})
}

// life tells one process of the copy from the next.
func (k *keeper) life() int64 {
	if !k.running || k.started.IsZero() {
		return 0
	}
	return k.started.UnixNano()
}

// run keeps the copy until it is retired, and then ends it and returns true; or until ctx
// ends, and then leaves it running and returns false.
func (k *keeper) run(ctx context.Context) bool {
	for k.wanted.Err() == nil {
		if !k.start(k.wanted) {
			continue
		}
		why := k.watch(k.wanted)
		if k.wanted.Err() != nil {
			break
		}
		k.running, k.last = false, why
		k.show(andon.PhaseExited, why)
		k.fleet.agent.config.Log.Info("a copy ended and is started again", "copy", k.copy.ID, "reason", why, "restarts", k.count)
		if sleep(k.wanted, k.pause.pause()) {
			k.count++
		}
	}
	return ctx.Err() == nil && k.end(ctx)
}

// start makes the copy run. On a failure it tells why, waits, and returns false.
func (k *keeper) start(ctx context.Context) bool {
	inst, err := k.launch(ctx)
	if err == nil {
		k.running, k.address, k.started = true, inst.Address, inst.Started
		if k.phase != andon.PhaseHealthy {
			k.show(andon.PhaseStarting, k.last)
		}
		return true
	}
	if ctx.Err() != nil {
		return false
	}
	k.fleet.agent.config.Log.Warn("a copy cannot be started", "copy", k.copy.ID, "error", err)
	switch andon.KindOf(err) {
	case andon.KindInvalid, andon.KindNotFound, andon.KindRefused, andon.KindUnavailable:
		k.show(andon.PhaseFailed, sentence(err))
	default:
		// Something that is needed may come back; what the copy was, it still is.
		phase := andon.PhaseStarting
		if k.phase == andon.PhaseExited || k.phase == andon.PhaseFailed {
			phase = k.phase
		}
		k.show(phase, sentence(err))
	}
	sleep(ctx, k.pause.pause())
	return false
}

// launch starts the copy on the platform, unless it runs there.
func (k *keeper) launch(ctx context.Context) (platform.Instance, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := k.fleet.admit(k); err != nil {
		return platform.Instance{}, err
	}
	if err := k.choosePort(); err != nil {
		return platform.Instance{}, err
	}
	inst, err := k.on.Start(ctx, k.spec())
	if err != nil || k.matches(inst) {
		return inst, err
	}
	// Something else runs under the copy's name.
	if err := k.on.Stop(ctx, k.copy.ID, k.copy.Spec.Stop); err != nil {
		return platform.Instance{}, err
	}
	return k.on.Start(ctx, k.spec())
}

// choosePort makes sure that the copy has a port that it can listen on. It keeps the one it
// has as long as nothing else has taken it.
func (k *keeper) choosePort() error {
	if k.copy.Spec.Port == 0 || k.running || (k.address != "" && free(k.address)) {
		return nil
	}
	address, err := k.fleet.ports.give(k.copy.ID)
	if err != nil {
		return err
	}
	k.fleet.ports.release(k.copy.ID, k.address)
	k.address = address
	return nil
}

// spec returns what the platform needs to know of the copy.
func (k *keeper) spec() platform.Spec {
	env := make(map[string]string, len(k.copy.Spec.Env)+5)
	maps.Copy(env, k.copy.Spec.Env)
	env["ANDON_SERVICE"] = string(k.place.Service)
	env["ANDON_ENVIRONMENT"] = string(k.place.Environment)
	env["ANDON_VERSION"] = k.copy.Version.String()
	env["ANDON_INSTANCE"] = string(k.copy.ID)
	if port := portOf(k.address); port > 0 {
		env["PORT"] = strconv.Itoa(port)
		if _, said := env["HOST"]; !said { // the service may want to listen elsewhere
			env["HOST"] = hostOf(k.address)
		}
	}
	return platform.Spec{
		ID: k.copy.ID, Service: k.place.Service, Environment: k.place.Environment, Version: k.copy.Version,
		Artifact: k.copy.Artifact, Config: k.copy.Config,
		Command: k.copy.Spec.Command, Env: env, Address: k.address, Port: k.copy.Spec.Port, Limits: k.copy.Spec.Limits,
	}
}

// halt ends a copy that is to be started again.
func (k *keeper) halt(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, k.copy.Spec.Stop+stopExtra)
	defer cancel()
	if err := k.on.End(ctx, k.copy.ID, k.copy.Spec.Stop); err != nil {
		k.fleet.agent.config.Log.Warn("a copy that hangs cannot be ended", "copy", k.copy.ID, "error", err)
		return false
	}
	return true
}

// end stops the retired copy for good. It returns false if ctx ends before.
func (k *keeper) end(ctx context.Context) bool {
	pause := restarting()
	for ctx.Err() == nil {
		err := k.stopOnce(ctx)
		if err == nil {
			k.show(andon.PhaseStopped, "")
			return true
		}
		if ctx.Err() == nil {
			k.fleet.agent.config.Log.Warn("a copy cannot be stopped", "copy", k.copy.ID, "error", err)
			k.show(k.phase, sentence(err))
		}
		sleep(ctx, pause.pause())
	}
	return false
}

func (k *keeper) stopOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, k.copy.Spec.Stop+stopExtra)
	defer cancel()
	if err := k.on.End(ctx, k.copy.ID, k.copy.Spec.Stop); err != nil {
		return err
	}
	_ = k.log.ship(ctx) // its last words, if the server is there to hear them
	return k.on.Stop(ctx, k.copy.ID, 0)
}

// sentence returns what people may read of an error.
func sentence(err error) string {
	if e, ok := errors.AsType[*andon.Error](err); ok {
		return e.Message + "."
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "It took too long."
	}
	return "The host cannot do it; the agent's log says more."
}
