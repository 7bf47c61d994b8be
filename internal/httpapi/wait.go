package httpapi

import (
	"context"
	"errors"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

const (
	// usualWait is how long a wait lasts when the question does not say.
	usualWait = 30 * time.Second
	// longestWait bounds it; a client that waits longer asks again.
	longestWait = 10 * time.Minute
)

type waitQuestion struct {
	Service   string `path:"service"`
	Version   string `query:"version" doc:"a number, the beginning of a commit, or newest; left out: the newest there is now"`
	For       string `query:"for" required:"true" doc:"built, release-candidate, certified, live:ENVIRONMENT, stopped or ended"`
	TimeoutMS int64  `query:"timeout_ms" default:"-1" maximum:"600000" doc:"how long to wait at most; left out: 30 s"`
}

// errOver ends the following of events: what was waited for is decided.
var errOver = errors.New("over")

// wait answers as soon as a version has come where it is waited for, or cannot come there any
// more, or the time is over.
func (a *API) wait(ctx context.Context, q *waitQuestion) (api.Waited, error) {
	goal, err := parseGoal(q.For)
	if err != nil {
		return api.Waited{}, err
	}
	ref, err := a.version(ctx, q.Service, q.Version)
	if err != nil {
		return api.Waited{}, err
	}
	timeout := time.Duration(q.TimeoutMS) * time.Millisecond
	if q.TimeoutMS < 0 {
		timeout = usualWait
	}
	out := api.Waited{State: api.WaitTimeout, Service: q.Service, Version: int64(ref.Number), For: q.For}
	waiting, cancel := context.WithTimeout(ctx, min(timeout, longestWait))
	defer cancel()

	// Everything after this position is looked at; what is before it, the first look sees.
	position := a.Engine.Head()
	if over, err := a.look(ctx, ref, goal, &out); err != nil || over {
		return out, err
	}
	var problem error
	err = a.Engine.Follow(waiting, position, func(events []andon.Event) error {
		relevant := false
		for _, e := range events {
			if reason := goal.reachedBy(e, ref); reason != "" {
				out.State, out.Reason, out.Position, out.Waits = api.WaitReached, reason, int64(e.Seq), nil
				return errOver
			}
			relevant = relevant || matters(e, ref.Service)
		}
		if !relevant {
			return nil
		}
		var over bool
		if over, problem = a.look(ctx, ref, goal, &out); over || problem != nil {
			return errOver
		}
		return nil
	})
	switch {
	case problem != nil:
		return out, problem
	case errors.Is(err, errOver), err == nil && ctx.Err() == nil:
		return out, nil
	case ctx.Err() != nil:
		return out, ctx.Err()
	default:
		return out, err
	}
}

// look decides from the present state. While it is open, it notes why in out.
func (a *API) look(ctx context.Context, ref andon.VersionRef, goal goal, out *api.Waited) (over bool, err error) {
	var v verdict
	kept := false
	err = a.Engine.View(ctx, func(s *line.State) {
		out.Position = int64(a.Engine.Head())
		if version := s.Version(ref); version != nil {
			kept = true
			v = goal.judge(s, version)
			all := s.WaitingFor(ref.Service, a.Engine.Now())
			out.Waits = chains(all, func(w andon.Wait) bool { return w.Version == ref.Number })
		} else if goal.environment != "" && s.Environments[goal.environment] == nil {
			v.problem = errNoEnvironment(goal.environment)
		}
	})
	if err != nil {
		return false, err
	}
	if !kept && v.problem == nil {
		v, err = a.judgeOld(ctx, ref, goal)
	}
	if err != nil || v.problem != nil {
		return false, errors.Join(err, v.problem)
	}
	out.Reason = v.reason
	switch {
	case v.reached:
		out.State, out.Waits = api.WaitReached, nil
	case v.unreachable:
		out.State, out.Waits = api.WaitUnreachable, nil
	default:
		if len(out.Waits) > 0 {
			out.Reason = out.Waits[0].Reason
		}
	}
	return v.reached || v.unreachable, nil
}

// matters reports whether an event may change what is known of a service.
func matters(e andon.Event, service andon.ServiceName) bool {
	switch b := e.Body.(type) {
	case andon.VersionCreated:
		return b.Version.Service == service
	case andon.VersionReachedTrunk:
		return b.Version.Service == service
	case andon.MaturityChanged:
		return b.Version.Service == service
	case andon.VersionEnded:
		return b.Version.Service == service
	case andon.StageAdmitted:
		return b.Version.Service == service
	case andon.StageFinished:
		return b.Version.Service == service
	case andon.DeploymentPlanned:
		return b.Plan.Service == service
	case andon.DeploymentEnded:
		return b.Service == service
	case andon.ServiceRemoved:
		return b.Service == service
	case andon.CordPulled, andon.CordReleased:
		return true
	default:
		return false
	}
}
