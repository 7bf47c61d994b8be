package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// How a keeper judges its running copy.
const (
	firstProbe    = 50 * time.Millisecond // the pause of a copy that starts; it grows to the interval
	hangingProbes = 5                     // failed in a row: the copy hangs and is restarted
	steadyAfter   = time.Minute           // a copy that was well for so long begins with short pauses again
	troubleShown  = 2 * time.Second       // a copy that starts may be this old before its trouble is told
)

// watch probes the running copy until it has ended, and then says how. A copy that hangs, or
// never becomes healthy, is ended first.
func (k *keeper) watch(ctx context.Context) string {
	health := healthOf(k.copy.Spec)
	began := time.Now()
	if k.copy.Spec.Port == 0 {
		began = k.started // what an adopted worker has run already counts
	}
	everHealthy := k.phase == andon.PhaseHealthy
	failed, wait := 0, min(firstProbe, health.Interval)
	timer := time.NewTimer(0) // an adopted copy is asked at once
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ""
		case <-k.poke:
			if how, ended := k.hasEnded(ctx); ended {
				return how
			}
			continue
		case <-timer.C:
		}
		err := k.probe(ctx, health, began)
		if ctx.Err() != nil {
			return ""
		}
		if err == nil {
			everHealthy, failed, wait = true, 0, health.Interval
			k.show(andon.PhaseHealthy, "")
			if time.Since(k.healthy) >= steadyAfter {
				k.pause.reset()
			}
			timer.Reset(wait)
			continue
		}
		if how, ended := k.hasEnded(ctx); ended {
			return how
		}
		if errors.Is(err, errYoung) {
			timer.Reset(health.Interval - time.Since(began))
			continue
		}
		failed++
		if why := k.judge(err, began, everHealthy, failed, health); why != "" {
			if k.halt(ctx) {
				return why
			}
		}
		if !everHealthy {
			wait = min(wait*3/2, health.Interval)
		}
		timer.Reset(wait)
	}
}

// judge shows what a failed probe means, and says why the copy must be restarted, if it must.
func (k *keeper) judge(err error, began time.Time, everHealthy bool, failed int, health andon.Health) string {
	age := time.Since(began)
	switch {
	case everHealthy:
		k.show(andon.PhaseUnhealthy, "It was healthy and is not any more: "+err.Error()+".")
		if failed >= hangingProbes {
			return fmt.Sprintf("It hung (%s, %d times in a row) and was ended.", err, failed)
		}
	case age >= health.Start:
		return fmt.Sprintf("It did not become healthy within %s: %s.", andon.Brief(health.Start), err)
	case age >= troubleShown:
		k.show(andon.PhaseStarting, k.unready(err))
	}
	return ""
}

// unready says why the copy is not healthy yet. How it ended before it was started again tells
// more than that it does not answer.
func (k *keeper) unready(err error) string {
	if k.last == "" {
		return "It is not healthy yet: " + err.Error() + "."
	}
	return k.last + " Started again, it is not healthy yet: " + err.Error() + "."
}

// errYoung is what the probe of a worker says that has not run for long enough.
var errYoung = errors.New("it has not run long enough")

// probe asks the copy once.
func (k *keeper) probe(ctx context.Context, health andon.Health, began time.Time) error {
	if k.copy.Spec.Port == 0 {
		if how, ended := k.hasEnded(ctx); ended {
			return errors.New(how)
		}
		if k.phase != andon.PhaseHealthy && time.Since(began) < health.Interval {
			return errYoung
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, health.Timeout)
	defer cancel()
	return k.fleet.agent.config.Probe(ctx, k.address, health.Path)
}

// hasEnded asks the platform whether the copy has ended, and how.
func (k *keeper) hasEnded(ctx context.Context) (how string, ended bool) {
	list, err := k.on.List(ctx)
	if err != nil {
		return "", false // not known to have ended: the next probe asks again
	}
	for _, inst := range list {
		if inst.ID == k.copy.ID {
			return "It ended by itself: " + inst.Exit + ".", !inst.Running
		}
	}
	return "It disappeared.", true
}

// healthOf returns how a copy is probed, with what applies where its specification is silent.
func healthOf(spec andon.RunSpec) andon.Health {
	h := spec.Health
	if h.Interval <= 0 {
		h.Interval = andon.DefaultHealthInterval
	}
	if h.Timeout <= 0 {
		h.Timeout = andon.DefaultHealthTimeout
	}
	if h.Start <= 0 {
		h.Start = andon.DefaultHealthStart
	}
	return h
}
