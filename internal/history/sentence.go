package history

import (
	"fmt"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// sentence says what an event is, in words that need nothing beside them.
func sentence(body andon.Body, s subject) string {
	switch b := body.(type) {
	case andon.PlantCreated:
		return "the plant was created"
	case andon.EnvironmentDeclared:
		return fmt.Sprintf("environment %s was declared", b.Environment.Name)
	case andon.EnvironmentRemoved:
		return fmt.Sprintf("environment %s was removed", b.Environment)
	case andon.EstateApplied:
		return fmt.Sprintf("commit %s of the estate was applied, with %d environments", b.Commit.Short(), len(b.Environments))
	case andon.EstateFollowed:
		if b.Source.URL == "" {
			return "the estate is not followed any more"
		}
		return fmt.Sprintf("the estate is followed, from branch %s of %s", b.Source.Trunk, b.Source.URL)
	case andon.EstateRefused:
		return fmt.Sprintf("commit %s of the estate was refused: %s", b.Commit.Short(), refusal(b.Problems))
	case andon.ServiceAdded:
		from := "the built-in git"
		if b.Source.URL != "" {
			from = b.Source.URL
		}
		return fmt.Sprintf("service %s was added, from branch %s of %s", b.Service, b.Source.Trunk, from)
	case andon.ServiceRemoved:
		return because(fmt.Sprintf("service %s was removed", b.Service), b.Reason)
	case andon.AgentConnected:
		return fmt.Sprintf("agent %s connected, with %d slots", b.Agent, b.Slots)
	case andon.AgentLost:
		return because(fmt.Sprintf("agent %s was lost", b.Agent), b.Reason)
	case andon.HostAdded:
		return fmt.Sprintf("host %s may join the plant until %s", b.Host, b.Expires.UTC().Format(time.RFC3339))
	case andon.HostJoined:
		return fmt.Sprintf("host %s joined the plant", b.Host)
	case andon.HostRemoved:
		return because(fmt.Sprintf("host %s was removed from the plant", b.Host), b.Reason)
	case andon.Observed:
		return observation(b.Observation)
	case andon.CordPulled:
		return because(fmt.Sprintf("the line was stopped for %s", b.Cord.Scope), b.Cord.Reason)
	case andon.CordReleased:
		return because(fmt.Sprintf("the line runs again for %s", b.Scope), b.Reason)
	}
	if text := versionSentence(body); text != "" {
		return text
	}
	if text := taskSentence(body, s); text != "" {
		return text
	}
	if text := deploymentSentence(body, s); text != "" {
		return text
	}
	return body.EventName()
}

// refusal says the first of the problems of an estate, and how many there are.
func refusal(problems []*andon.Error) string {
	switch len(problems) {
	case 0:
		return "it has problems"
	case 1:
		return problems[0].Error()
	}
	return fmt.Sprintf("%s, and %d more problems", problems[0], len(problems)-1)
}

func versionSentence(body andon.Body) string {
	switch b := body.(type) {
	case andon.VersionCreated:
		text := fmt.Sprintf("%s was made from commit %s of %s by %s: %s", b.Version, b.Commit.Short(), b.Branch, b.Author, b.Subject)
		if b.Problem != nil {
			text = because(fmt.Sprintf("%s was made from commit %s and has no pipeline", b.Version, b.Commit.Short()), b.Problem.Message)
		}
		return text
	case andon.VersionReachedTrunk:
		return fmt.Sprintf("%s reached the trunk", b.Version)
	case andon.MaturityChanged:
		return because(fmt.Sprintf("%s is now %s", b.Version, b.To), b.Reason)
	case andon.VersionEnded:
		text := fmt.Sprintf("the way of %s ended: %s", b.Version, b.Outcome)
		if b.By > 0 {
			text += fmt.Sprintf(" by %s", b.By)
		}
		return because(text, b.Reason)
	case andon.StageAdmitted:
		return because(fmt.Sprintf("%s was admitted to stage %s", b.Version, b.Stage), b.Reason)
	case andon.StageStarted:
		return fmt.Sprintf("%s entered stage %s%s", b.Version, b.Stage, again(b.Run))
	case andon.StageFinished:
		text := fmt.Sprintf("stage %s of %s %s after %s", b.Stage, b.Version, b.Outcome, lasted(b.Took))
		if b.Slow {
			text += ", over its budget"
		}
		return because(text, b.Reason)
	}
	return ""
}

func taskSentence(body andon.Body, s subject) string {
	switch b := body.(type) {
	case andon.TaskQueued:
		if b.Task.Kind == andon.TaskSmoke {
			return fmt.Sprintf("the smoke test of %s waits for its agent", b.Task.Instance)
		}
		return fmt.Sprintf("job %s of stage %s of %s waits for an agent", b.Task.Job, b.Task.Stage, b.Task.Version)
	case andon.TaskLeased:
		return fmt.Sprintf("agent %s took task %s of %s%s", b.Agent, b.Task, s.ref(), again(b.Attempt))
	case andon.TaskCancelled:
		return because(fmt.Sprintf("task %s of %s was cancelled", b.Task, s.ref()), b.Reason)
	case andon.TaskEnded:
		text := fmt.Sprintf("task %s of %s %s", b.Task, b.Version, b.Result.Outcome)
		if b.Again {
			text += " and is tried again"
		}
		return because(text, b.Result.Reason)
	}
	return ""
}

func deploymentSentence(body andon.Body, s subject) string {
	switch b := body.(type) {
	case andon.DeploymentPlanned:
		return because(fmt.Sprintf("%s was planned: %s %s to %s", b.Plan.ID, b.Plan.Kind, b.Plan.Release.Version, b.Plan.Place), b.Plan.Reason)
	case andon.DeploymentStarted:
		return fmt.Sprintf("%s started: %s %s to %s", b.Plan.ID, b.Plan.Kind, b.Plan.Release.Version, b.Plan.Place)
	case andon.DesiredChanged:
		targets := 0
		if b.Desired.Route != nil {
			targets = len(b.Desired.Route.Targets)
		}
		return fmt.Sprintf("%s should have %d copies now, %d of them with traffic", b.Desired.Place, len(b.Desired.Copies), targets)
	case andon.DeploymentMoved:
		return because(fmt.Sprintf("%s of %s is %s", b.Deployment, s.ref(), b.Step), b.Reason)
	case andon.DeploymentJudged:
		return because(fmt.Sprintf("the new copies of %s of %s were found %s compared with the old ones", b.Deployment, s.ref(), judged(b.Verdict)), b.Reason)
	case andon.DeploymentEnded:
		text := fmt.Sprintf("%s of %s %s", b.Deployment, s.ref(), b.Outcome)
		if b.Live != nil {
			text += fmt.Sprintf("; %s is live in %s", b.Live.Version, b.Environment)
		}
		if b.Ledger != nil {
			text += fmt.Sprintf("; %d of %d requests failed", b.Ledger.Failed, b.Ledger.Served+b.Ledger.Failed)
		}
		return because(text, b.Reason)
	}
	return ""
}

// judged says a verdict in words.
func judged(v andon.Verdict) string {
	if v == andon.VerdictAlike {
		return "no worse"
	}
	return string(v)
}

func observation(o andon.Observation) string {
	if o.Full {
		return fmt.Sprintf("agent %s told of all its %d copies", o.Agent, len(o.Instances))
	}
	if len(o.Instances) == 1 {
		i := o.Instances[0]
		return because(fmt.Sprintf("agent %s saw copy %s %s", o.Agent, i.ID, i.Phase), i.Reason)
	}
	if len(o.Instances) == 0 && len(o.Routes) == 1 {
		return fmt.Sprintf("agent %s saw %d copies in traffic for %s", o.Agent, len(o.Routes[0].Targets), o.Routes[0].Place)
	}
	return fmt.Sprintf("agent %s saw %d copies and %d routes change", o.Agent, len(o.Instances), len(o.Routes))
}

func because(text, reason string) string {
	if reason == "" {
		return text
	}
	return text + ": " + reason
}

// lasted writes how long something took, as exactly as people read it.
func lasted(d time.Duration) string {
	if d < time.Minute {
		return andon.Brief(d.Round(time.Millisecond))
	}
	return andon.Brief(d.Round(time.Second))
}

func again(n int) string {
	if n <= 1 {
		return ""
	}
	return fmt.Sprintf(", for the %s time", ordinal(n))
}

func ordinal(n int) string {
	suffix := "th"
	switch {
	case n%100 >= 11 && n%100 <= 13:
	case n%10 == 1:
		suffix = "st"
	case n%10 == 2:
		suffix = "nd"
	case n%10 == 3:
		suffix = "rd"
	}
	return fmt.Sprintf("%d%s", n, suffix)
}
