package web

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

// mostItems bounds the things that a page of a change names.
const mostItems = 50

func proposeServiceCord(s *line.State, a ask) (proposal, error) {
	return proposeCord(s, a, andon.Scope{Kind: andon.ScopeService, Service: a.service()})
}

func proposeEnvironmentCord(s *line.State, a ask) (proposal, error) {
	return proposeCord(s, a, andon.Scope{Kind: andon.ScopeEnvironment, Environment: andon.EnvironmentName(a.path("environment"))})
}

func proposePlantCord(s *line.State, a ask) (proposal, error) {
	return proposeCord(s, a, andon.Scope{Kind: andon.ScopePlant})
}

// What the page of a cord can be asked to do.
const (
	pullsCord   = "pull"
	releasesOne = "cord" // names the cord
)

// cordPath leads to the page of a scope's cord.
func cordPath(scope andon.Scope) string {
	switch scope.Kind {
	case andon.ScopeService:
		return "/services/" + string(scope.Service) + "/cord"
	case andon.ScopeEnvironment:
		return "/environments/" + string(scope.Environment) + "/cord"
	default:
		return "/cord"
	}
}

// proposeCord says what pulling the cord of a scope would hold; or, when it is pulled, what
// releasing it would let go.
func proposeCord(s *line.State, a ask, scope andon.Scope) (proposal, error) {
	one := andon.CordID(a.value(releasesOne))
	pulled := line.ReleaseCord{Scope: scope}
	cords, _ := pulled.Cords(s) // that there are none is no error here
	if one == "" && (len(cords) == 0 || a.value("do") == pullsCord) {
		return proposePull(s, scope, a.reason, len(cords) > 0)
	}
	verb := line.ReleaseCord{Cord: one, Reason: a.reason}
	if one == "" {
		verb.Scope = scope
	}
	return proposeRelease(s, scope, verb, len(cords), a.now)
}

func proposePull(s *line.State, scope andon.Scope, reason string, pulled bool) (what proposal, err error) {
	verb := line.PullCord{Scope: scope, Reason: reason}
	what = proposal{Title: "Stop the line for " + scope.String(), Reason: required, watch: "/board"}
	if pulled {
		what.Choices = []choice{{Words: "release the cord that is pulled"}}
	}
	if err := verb.Check(s); err != nil {
		return what, err
	}
	what.does, what.Button, what.Fields = verb, "Pull the cord", []field{{"do", pullsCord}}
	what.Warns = []string{"Nothing will be promoted or deployed within " + scope.String() + " but a rollback, until somebody releases the cord."}
	what.Says = []string{"Commits still build. What is in a stage finishes it, and goes no further."}
	what.Named, what.Items = "On their way there now", onTheirWay(s, scope)
	return what, nil
}

// onTheirWay are the versions that a cord of a scope would keep from going further.
func onTheirWay(s *line.State, scope andon.Scope) (items []item) {
	for _, name := range slices.Sorted(maps.Keys(s.Services)) {
		for _, v := range newestFirst(s.Services[name]) {
			if !v.Open() || !v.Trunk || !heads(v, scope) {
				continue
			}
			if len(items) == mostItems {
				return append(items, item{Words: "and more"})
			}
			words := "in stage " + string(v.Stage())
			if v.Run == nil {
				words = "waits for stage " + string(v.Stage())
			}
			items = append(items, item{v.Ref.String() + ", " + words, versionPath(v.Ref)})
		}
	}
	return items
}

// heads reports whether a stage that a version has not entered yet is within a scope.
func heads(v *line.Version, scope andon.Scope) bool {
	if v.Pipeline == nil {
		return false
	}
	next := v.Next
	if v.Run != nil {
		next++
	}
	for _, stage := range v.Pipeline.Stages[min(max(next, 0), len(v.Pipeline.Stages)):] {
		if scope.Covers(v.Ref.Service, stage.Deploy) {
			return true
		}
	}
	return false
}

func newestFirst(service *line.Service) []*line.Version {
	return slices.SortedFunc(maps.Values(service.Versions), newerFirst)
}

func proposeRelease(s *line.State, scope andon.Scope, verb line.ReleaseCord, pulled int, now time.Time) (what proposal, err error) {
	what = proposal{Title: "Let the line run again for " + scope.String(), Reason: required, watch: "/board"}
	cords, err := verb.Cords(s)
	if err == nil && cords[0].Scope != scope {
		err = andon.Errorf(andon.KindNotFound, "%s is not pulled for %s.", verb.Cord, scope)
	}
	if err != nil {
		return what, err
	}
	what.does, what.Button = verb, "Release the cord"
	if verb.Cord != "" {
		what.Title, what.Button = "Release "+string(verb.Cord), "Release "+string(verb.Cord)
		what.Fields = []field{{releasesOne, string(verb.Cord)}}
	}
	var ids []andon.CordID
	held := map[string]bool{}
	for _, c := range cords {
		ids = append(ids, c.ID)
		held[string(c.ID)] = true
		what.Stands = append(what.Stands, fmt.Sprintf("%s: pulled for %s by %s: %s", c.ID, c.Scope, c.Owner, c.Reason))
		if c.Fix != nil {
			what.Says = append(what.Says, fmt.Sprintf("%s would be released by itself by the first version of %s after %s that passes stage %s.", c.ID, c.Fix.Service, c.Fix.After, c.Fix.Stage))
		}
	}
	what.grounds = ids
	if pulled > 1 && verb.Cord == "" {
		for _, id := range ids {
			what.Choices = append(what.Choices, choice{Words: "release " + string(id) + " alone", Name: releasesOne, Value: string(id)})
		}
	}
	if (line.PullCord{Scope: scope}).Check(s) == nil {
		what.Choices = append(what.Choices, choice{Words: "pull another cord for " + scope.String(), Name: "do", Value: pullsCord})
	}
	what.Named, what.Items = "What it holds", heldBy(s, held, now)
	return what, nil
}

// heldBy are the things that cords hold back.
func heldBy(s *line.State, cords map[string]bool, now time.Time) (items []item) {
	for _, w := range s.Waiting(now) {
		if w.Kind != andon.WaitCord || !cords[w.On] {
			continue
		}
		if len(items) == mostItems {
			return append(items, item{Words: "and more"})
		}
		ref := andon.VersionRef{Service: w.Service, Number: w.Version}
		if w.Deployment != "" {
			items = append(items, item{fmt.Sprintf("%s, deployment %s", ref, w.Deployment), deploymentPath(w.Service, w.Deployment)})
			continue
		}
		items = append(items, item{fmt.Sprintf("%s, before stage %s", ref, w.Stage), versionPath(ref)})
	}
	return items
}
