package web

import (
	"fmt"
	"slices"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/engine"
	"github.com/andon-cd/andon/internal/line"
)

// proposeRollback says what going back to a version that was good would do.
func proposeRollback(s *line.State, a ask) (what proposal, err error) {
	verb := line.Rollback{Place: andon.Place{Service: a.service(), Environment: andon.EnvironmentName(a.path("environment"))}, Reason: a.reason}
	if to := a.value("to"); to != "" {
		if verb.To, err = versionNumber(to); err != nil {
			return what, err
		}
	}
	return rollback(s, verb, a.by)
}

func rollback(s *line.State, verb line.Rollback, by andon.Actor) (what proposal, err error) {
	what = proposal{Title: "Roll " + string(verb.Place.Service) + " in " + string(verb.Place.Environment) + " back", Reason: required}
	preview, err := verb.Preview(s, by)
	if err != nil {
		return what, err
	}
	to := preview.Plan.Release.Version
	what.Title += " to version " + to.String()
	what.Preview, what.does, what.Button = &preview, verb, "Roll back to version "+to.String()
	what.watch = deploymentPath(verb.Place.Service, preview.Aborts) // whose way back may be all
	what.watching = func(result engine.Result) string { return plannedPath(verb.Place.Service, result) }
	if verb.To != 0 {
		what.Fields = []field{{"to", verb.To.String()}}
	}
	if preview.Aborts != "" {
		what.Warns = append(what.Warns, fmt.Sprintf("%s goes on, and is aborted.", preview.Aborts))
	}
	if bad := preview.Quarantines; bad != 0 {
		what.Says = append(what.Says, fmt.Sprintf("Version %s will be quarantined: nothing brings it back by itself. The line will stand until a later version comes.", bad))
	}
	what.Choices = goodVersions(s.PlaceOf(verb.Place), to, preview.Quarantines)
	return what, nil
}

// goodVersions are those to which a place can go back, the newest first.
func goodVersions(place *line.Place, to, bad andon.VersionNumber) (choices []choice) {
	seen := map[andon.VersionNumber]bool{bad: true}
	for _, g := range slices.Backward(place.Good) {
		n := g.Release.Version
		if g.Quarantined || seen[n] {
			continue
		}
		seen[n] = true
		choices = append(choices, choice{Words: "version " + n.String(), Name: "to", Value: n.String(), Now: n == to})
	}
	return choices
}

// deploymentOfAsk is the deployment that an address names, of the service that it names.
func deploymentOfAsk(s *line.State, a ask) (andon.DeploymentID, error) {
	id := andon.DeploymentID(a.path("deployment"))
	if s.Services[a.service()] == nil || serviceOf(string(id)) != a.service() {
		return id, andon.Errorf(andon.KindNotFound, "There is no deployment %.100s of %.50s.", id, a.service())
	}
	return id, nil
}

// proposeCancelDeployment says what ending a deployment would do.
func proposeCancelDeployment(s *line.State, a ask) (what proposal, err error) {
	id, err := deploymentOfAsk(s, a)
	if err != nil {
		return what, err
	}
	verb := line.Cancel{Deployment: id, Reason: a.reason}
	what = proposal{Title: "Abort " + string(id), Reason: required, watch: deploymentPath(a.service(), id)}
	if err := verb.Check(s); err != nil {
		return what, err
	}
	d := s.FindDeployment(id)
	what.does, what.Button = verb, "Abort the deployment"
	what.grounds = []any{d.Started.IsZero(), d.Plan.Previous}
	if d.Started.IsZero() {
		what.Says = []string{"It has not begun, and will not: nothing changes in " + string(d.Plan.Environment) + "."}
		return what, nil
	}
	what.Says = []string{"It goes back: " + comesBack(d.Plan) + "."}
	v := s.Version(andon.VersionRef{Service: d.Plan.Service, Number: d.Plan.Release.Version})
	if v != nil && v.Run != nil && v.Run.Deployment == id {
		what.Says = append(what.Says, fmt.Sprintf("The way of %s, whose stage %s it belongs to, ends with it.", v.Ref, v.Run.Stage))
	}
	return what, nil
}

// proposeRerunDeployment says what asking again for a deployment that did not succeed would do.
func proposeRerunDeployment(s *line.State, a ask) (what proposal, err error) {
	id, err := deploymentOfAsk(s, a)
	if err != nil {
		return what, err
	}
	means, err := line.Rerun{Deployment: id}.Means(s)
	if err != nil {
		return proposal{Title: "Run " + string(id) + " again"}, err
	}
	switch verb := means.(type) {
	case line.Rollback:
		what, err = rollback(s, verb, a.by)
	case line.Rerun:
		what, err = rerun(s, verb)
	case line.Deploy:
		what = proposal{Title: "Deploy " + verb.Version.String() + " to " + string(verb.Environment) + " again", watch: versionPath(verb.Version)}
		what, err = deployment(s, what, verb, a.by)
	default:
		return what, andon.Errorf(andon.KindInternal, "A deployment cannot be run again as %T.", means)
	}
	// It is as it was asked for: with its own reason, and nothing else to choose.
	what.Reason, what.Choices, what.Fields = notTaken, nil, nil
	return what, err
}
