package httpapi

import (
	"context"
	"fmt"
	"slices"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

type whyQuestion struct {
	Service     string `query:"service"`
	Version     string `query:"version" doc:"of the service: a number, the beginning of a commit, or newest"`
	Environment string `query:"environment"`
	Deployment  string `query:"deployment" doc:"also one that has ended"`
	Cord        string `query:"cord"`
}

func (a *API) why(ctx context.Context, q *whyQuestion) (api.Why, error) {
	if q.Deployment != "" {
		return a.whyDeployment(ctx, andon.DeploymentID(q.Deployment))
	}
	if q.Version != "" && q.Service == "" {
		return api.Why{}, andon.Errorf(andon.KindInvalid, "a version is one of a service").WithHint("name the service too")
	}
	var ref andon.VersionRef
	if q.Version != "" {
		var err error
		if ref, err = a.version(ctx, q.Service, q.Version); err != nil {
			return api.Why{}, err
		}
	}
	var out api.Why
	var problem error
	err := a.Engine.View(ctx, func(s *line.State) { out, problem = a.whyIn(s, q, ref) })
	if err != nil {
		return out, err
	}
	return out, problem
}

// whyIn answers from the state: which waits and cords concern what was asked for.
func (a *API) whyIn(s *line.State, q *whyQuestion, ref andon.VersionRef) (out api.Why, err error) {
	now := a.Engine.Now()
	service, env := andon.ServiceName(q.Service), andon.EnvironmentName(q.Environment)
	if service != "" && s.Services[service] == nil {
		return out, errNoService(q.Service)
	}
	if env != "" && s.Environments[env] == nil {
		return out, andon.Errorf(andon.KindNotFound, "there is no environment %.100s", q.Environment).WithHint("`andon status` lists the environments")
	}
	if q.Cord != "" {
		return a.whyCord(s, andon.CordID(q.Cord))
	}
	all := s.Waiting(now)
	if service != "" {
		all = s.WaitingFor(service, now)
	}
	out = api.Why{About: about(q, ref), Cords: []api.Cord{}}
	out.Waits = chains(all, func(w andon.Wait) bool {
		return (ref.Number == 0 || w.Version == ref.Number) && (env == "" || concerns(s, w, env))
	})
	for _, c := range s.Cords {
		covers := service == "" || s.Concerns(c.Scope, s.Services[service])
		if env != "" && c.Scope.Kind == andon.ScopeEnvironment {
			covers = covers && c.Scope.Environment == env
		}
		if covers {
			out.Cords = append(out.Cords, wirePulled(c.Cord, now))
		}
	}
	held := slices.ContainsFunc(out.Waits, func(w api.Wait) bool { return w.Kind != api.WaitWarm })
	out.Moves = !held && len(out.Cords) == 0
	out.Sentence = sentence(s, out, ref)
	if service != "" && ref.Number == 0 && len(out.Waits) == 0 && len(out.Cords) == 0 {
		out.Sentence += lastEndings(s, service, env)
	}
	return out, nil
}

// whyCord says what a cord holds.
func (a *API) whyCord(s *line.State, id andon.CordID) (api.Why, error) {
	for _, c := range s.Cords {
		if c.ID != id {
			continue
		}
		held := slices.DeleteFunc(s.Waiting(a.Engine.Now()), func(w andon.Wait) bool { return w.Kind != andon.WaitCord || w.On != string(id) })
		out := api.Why{About: string(id), Waits: each(held, wireWait), Cords: []api.Cord{wirePulled(c.Cord, a.Engine.Now())}}
		out.Sentence = fmt.Sprintf("%s pulled %s: %s", c.Owner, id, c.Reason)
		if c.Fix != nil {
			out.Sentence += fmt.Sprintf("; a version of %s after %s that passes stage %s releases it", c.Fix.Service, c.Fix.After, c.Fix.Stage)
		} else {
			out.Sentence += "; a person releases it"
		}
		return out, nil
	}
	return api.Why{}, andon.Errorf(andon.KindNotFound, "no cord %.100s is pulled", id).WithHint("`andon status` lists the cords that are pulled")
}

// concerns reports whether a wait is about an environment: its deployment or its stage goes there.
func concerns(s *line.State, w andon.Wait, env andon.EnvironmentName) bool {
	if d := s.FindDeployment(w.Deployment); w.Deployment != "" && d != nil {
		return d.Plan.Environment == env
	}
	v := s.Version(andon.VersionRef{Service: w.Service, Number: w.Version})
	if v == nil || v.Pipeline == nil {
		return false
	}
	stage, _, ok := v.Pipeline.Stage(w.Stage)
	return ok && stage.Deploy == env
}

func about(q *whyQuestion, ref andon.VersionRef) string {
	what := "the plant"
	switch {
	case ref.Number > 0:
		what = ref.String()
	case q.Service != "":
		what = q.Service
	}
	if q.Environment != "" {
		what += " in " + q.Environment
	}
	return what
}

// sentence answers in one sentence.
func sentence(s *line.State, w api.Why, ref andon.VersionRef) string {
	if v := s.Version(ref); v != nil && !v.Open() {
		reason := string(v.Ended.Outcome)
		if v.Ended.Reason != "" {
			reason += ": " + v.Ended.Reason
		}
		return fmt.Sprintf("the way of %s is over: %s", ref, reason)
	}
	if len(w.Waits) > 0 {
		first := w.Waits[0]
		for len(first.Because) > 0 {
			first = first.Because[0]
		}
		return first.Reason
	}
	if len(w.Cords) > 0 {
		first := w.Cords[0]
		return fmt.Sprintf("the line is stopped by %s (%s)%s, and nothing waits for it", first.ID, first.Reason, failedSince(s, first))
	}
	return "nothing holds " + w.About + " back"
}

// failedSince names the newest version that failed after the one that a cord was pulled for: the
// cord keeps telling of the first.
func failedSince(s *line.State, cord api.Cord) string {
	at := slices.IndexFunc(s.Cords, func(c *line.Cord) bool { return string(c.ID) == cord.ID && c.Fix != nil })
	if at < 0 {
		return ""
	}
	fix := s.Cords[at].Fix
	svc := s.Services[fix.Service]
	if svc == nil { // it was removed meanwhile
		return ""
	}
	var newest *line.Version
	for _, v := range svc.Versions {
		failed := v.Trunk && v.Ended != nil && v.Ended.Outcome == andon.Failed && v.Ref.Number > fix.Broken
		if failed && (newest == nil || v.Ref.Number > newest.Ref.Number) {
			newest = v
		}
	}
	if newest == nil {
		return ""
	}
	return fmt.Sprintf("; since then %s failed, too: %s", newest.Ref, newest.Ended.Reason)
}

// chains returns those of the waits that a condition selects, with what holds back that which they
// wait for.
func chains(all []andon.Wait, which func(andon.Wait) bool) []api.Wait {
	return each(line.Chains(all, which), wireReason)
}

func wireReason(r line.Reason) api.Wait {
	out := wireWait(r.Wait)
	for _, next := range r.Because {
		out.Because = append(out.Because, wireReason(next))
	}
	return out
}
