package web

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/engine"
	"github.com/andon-cd/andon/internal/line"
)

// proposeDeploy says what deploying a version to an environment would do.
func proposeDeploy(s *line.State, a ask) (what proposal, err error) {
	ref, err := a.version()
	if err != nil {
		return what, err
	}
	what = proposal{Title: "Deploy " + ref.String(), Reason: optional, watch: versionPath(ref)}
	to := andon.EnvironmentName(a.value("environment"))
	for _, name := range s.EnvironmentsInOrder() {
		c := choice{Words: string(name) + ", where nothing is live", Name: "environment", Value: string(name), Now: name == to}
		if p := s.PlaceOf(andon.Place{Service: ref.Service, Environment: name}); p != nil && p.Live != nil {
			c.Words = string(name) + ", where version " + p.Live.Version.String() + " is live"
		}
		what.Choices = append(what.Choices, c)
	}
	if to == "" {
		what.Says = []string{"To which environment?"}
		return what, nil
	}
	what.Title += " to " + string(to)
	return deployment(s, what, line.Deploy{Version: ref, Environment: to, Reason: a.reason}, a.by)
}

// deployment completes the proposal of a deployment that a person asks for.
func deployment(s *line.State, what proposal, verb line.Deploy, by andon.Actor) (proposal, error) {
	preview, err := verb.Preview(s, by)
	if err != nil {
		return what, err
	}
	what.Preview, what.does, what.Button = &preview, verb, "Deploy version "+verb.Version.Number.String()
	what.Fields = []field{{"environment", string(verb.Environment)}}
	what.Says = heldSentences(preview.Held)
	for _, id := range preview.Supersedes {
		what.Says = append(what.Says, fmt.Sprintf("It takes the turn of %s, which has not begun.", id))
	}
	what.watching = func(result engine.Result) string { return plannedPath(verb.Version.Service, result) }
	return what, nil
}

// plannedPath leads to the deployment that a command planned; "": it planned none.
func plannedPath(service andon.ServiceName, result engine.Result) string {
	if id := planOf(result); id != "" {
		return deploymentPath(service, id)
	}
	return ""
}

// proposePromote says what letting a version into a stage would do.
func proposePromote(s *line.State, a ask) (what proposal, err error) {
	ref, err := a.version()
	if err != nil {
		return what, err
	}
	verb := line.Promote{Version: ref, Stage: andon.StageName(a.value("stage")), Reason: a.reason}
	what = proposal{Title: "Promote " + ref.String(), Reason: optional, watch: versionPath(ref)}
	v := s.Version(ref)
	if v != nil && verb.Stage == "" {
		verb.Stage = v.Stage()
	}
	switch {
	case verb.Stage != "":
		what.Title += " into stage " + string(verb.Stage)
	case v != nil:
		return what, andon.Errorf(andon.KindConflict, "%s went through all its stages.", ref)
	}
	if err := verb.Check(s); err != nil {
		return what, err
	}
	stage, _, _ := v.Pipeline.Stage(verb.Stage)
	what.does, what.Button = verb, "Promote into "+string(verb.Stage)
	what.Fields = []field{{"stage", string(verb.Stage)}}
	if !v.Open() {
		what.Says = append(what.Says, fmt.Sprintf("Version %s superseded it; this takes its way up again.", v.Ended.By))
	}
	what.Says = append(what.Says, stageSentences(stage)...)
	what.Says = append(what.Says, heldSentences(verb.Held(s))...)
	if stage.Deploy != "" {
		preview, err := verb.Preview(s, a.by)
		if err != nil {
			return what, err
		}
		what.Preview = &preview
	}
	what.grounds = []any{v.Stage(), len(v.Stages), v.Open()}
	return what, nil
}

// stageSentences say what happens in a stage.
func stageSentences(stage *andon.Stage) []string {
	var does []string
	if stage.Deploy != "" {
		does = append(does, "deploys to "+string(stage.Deploy))
	}
	if jobs := jobNames(stage.Jobs); jobs != "" {
		does = append(does, "runs "+jobs)
	}
	if stage.Grants != "" {
		does = append(does, "makes it "+string(stage.Grants))
	}
	if len(does) == 0 {
		return nil
	}
	return []string{"The stage " + strings.Join(does, ", then ") + "."}
}

func jobNames(jobs []andon.Job) string {
	var names []string
	for _, j := range jobs {
		names = append(names, "job "+string(j.Name))
	}
	return strings.Join(names, ", ")
}

// proposeCancelVersion says what ending the way of a version would cut.
func proposeCancelVersion(s *line.State, a ask) (what proposal, err error) {
	ref, err := a.version()
	if err != nil {
		return what, err
	}
	verb := line.Cancel{Version: ref, Reason: a.reason}
	what = proposal{Title: "Cancel " + ref.String(), Reason: required, watch: versionPath(ref)}
	if err := verb.Check(s); err != nil {
		return what, err
	}
	v := s.Version(ref)
	what.does, what.Button = verb, "End the way of "+ref.String()
	what.grounds = []any{v.Stage()}
	if v.Run == nil {
		what.Says = append(what.Says, fmt.Sprintf("It waits for stage %s, and will not enter it.", v.Stage()))
	} else {
		what.Says = append(what.Says, cutSentences(s, v)...)
		what.grounds = []any{v.Stage(), v.Run.Run, v.Run.Deployment, v.Run.DeploymentOutcome}
	}
	what.Says = append(what.Says, fmt.Sprintf("Its way ends here. It can be run again later, from stage %s on.", v.Stage()))
	return what, nil
}

// cutSentences say what ends in the middle when a version's stage does.
func cutSentences(s *line.State, v *line.Version) (says []string) {
	if id := v.Run.Deployment; id != "" {
		if d := s.FindDeployment(id); d != nil && d.Step != andon.StepReverting {
			says = append(says, fmt.Sprintf("Deployment %s goes back: %s.", id, comesBack(d.Plan)))
		}
	}
	for _, j := range slices.Sorted(maps.Keys(v.Run.Jobs)) {
		task := s.Tasks[v.Run.Jobs[j].Task]
		switch {
		case task == nil:
		case task.Agent == "":
			says = append(says, fmt.Sprintf("Job %s of stage %s, which waits for an agent, will not run.", j, v.Run.Stage))
		default:
			says = append(says, fmt.Sprintf("Job %s of stage %s, which runs on agent %s, is cut off.", j, v.Run.Stage, task.Agent))
		}
	}
	return says
}

// comesBack says what follows when a deployment goes back.
func comesBack(plan andon.Plan) string {
	if plan.Previous == nil {
		return "nothing was live before it, so nothing will be"
	}
	return fmt.Sprintf("version %s, which was live before it, gets all of the traffic again", plan.Previous.Version)
}

// proposeRerunVersion says what running a stage of a version again would do.
func proposeRerunVersion(s *line.State, a ask) (what proposal, err error) {
	ref, err := a.version()
	if err != nil {
		return what, err
	}
	return rerun(s, line.Rerun{Version: ref, Stage: andon.StageName(a.value("stage"))})
}

func rerun(s *line.State, verb line.Rerun) (what proposal, err error) {
	what = proposal{Title: "Run " + verb.Version.String() + " again", watch: versionPath(verb.Version)}
	v := s.Version(verb.Version)
	if v != nil && verb.Stage == "" {
		verb.Stage = v.Stage()
	}
	if verb.Stage != "" {
		what.Title += " from stage " + string(verb.Stage)
	}
	if err := verb.Check(s); err != nil {
		return what, err
	}
	what.does, what.Button = verb, "Run stage "+string(verb.Stage)+" again"
	what.Fields = []field{{"stage", string(verb.Stage)}}
	what.grounds = []any{v.Stage(), len(v.Stages), v.Ended.At}
	stage := &andon.Stage{Jobs: v.Pipeline.Commit.Jobs}
	if found, _, ok := v.Pipeline.Stage(verb.Stage); ok {
		stage = found
	}
	what.Says = append(what.Says, fmt.Sprintf("Its way ended in stage %s: %s.", v.Stage(), orOutcome(v.Ended)))
	what.Says = append(what.Says, stageSentences(stage)...)
	for _, c := range s.Cords {
		if c.Fix != nil && c.Fix.Broken == verb.Version.Number && c.Fix.Service == verb.Version.Service && c.Fix.Stage == verb.Stage {
			what.Says = append(what.Says, fmt.Sprintf("If it passes, the line runs again: %s is released.", c.ID))
		}
	}
	for i := range v.Next + 1 {
		name := v.Pipeline.Stages[i].Name
		what.Choices = append(what.Choices, choice{Words: "from stage " + string(name), Name: "stage", Value: string(name), Now: name == verb.Stage})
	}
	return what, nil
}

func orOutcome(end *line.End) string {
	if end.Reason != "" {
		return end.Reason
	}
	return string(end.Outcome)
}
