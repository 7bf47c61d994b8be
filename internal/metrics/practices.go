package metrics

import (
	"fmt"
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// Records are what the practices of a plant are judged from.
type Records struct {
	Facts
	// Began is when the first of the services was added: before, nothing could be delivered.
	Began time.Time
	// Deliveries are the deployments to production that ended in the period, the newest first, at
	// most as many as whoever read them says.
	Deliveries []Delivery
	// Fresh counts, of the services that run somewhere (Running), those whose trunk has nothing that
	// production should have had for longer than FreshGoal.
	Fresh, Running int
	Stale          []andon.ServiceName // the others, some of them
	// Declared counts, of the environments, those that a commit of the estate's repository declares.
	Declared, Environments int
}

// A Delivery is a deployment to production that ended, with what the records say of it.
type Delivery struct {
	Deployed
	Service andon.ServiceName
	Grounds
	Lost int64 // requests that failed meanwhile
}

// Grounds are what a deployment to production is judged by, as things were when it ended.
type Grounds struct {
	ByStage    bool // the pipeline asked for it, not a person past it
	SameDigest bool // its version had this digest wherever it was deployed
	Rehearsed  bool // the same platform had deployed the version somewhere else before, successfully
	Accepted   bool // the version had become a release candidate before
	Smoked     bool // a smoke test passed before it had traffic
	Changes    int  // that it brought
}

// A Level says how far a practice is followed.
type Level string

// The levels.
const (
	Followed Level = "followed"
	Partly   Level = "partly"
	NotYet   Level = "not"
	Unknown  Level = "unknown" // there are not enough records to judge by
)

// Levels lists every level.
func Levels() []Level { return []Level{Followed, Partly, NotYet, Unknown} }

// A PracticeName names a practice.
type PracticeName string

// A Practice is a rule of continuous delivery that records can tell of.
type Practice struct {
	Name   PracticeName
	Title  string
	Rule   string // what is counted
	Source string // of the practice
	Next   string // the next step of a plant that does not follow it
	// Least is how many there must be of what is counted for a judgement.
	Least int
	// Goal is the share of them, 0 to 1, from which on the practice is followed; from half of it on it
	// partly is.
	Goal  float64
	count func(r *Records) tally
}

// A Judgement says how far a plant follows a practice.
type Judgement struct {
	Practice
	Level    Level
	Kept, Of int
	Evidence string // in words, with figures
	// Exceptions are deployments that did not keep to it, the newest first, at most MostExceptions.
	Exceptions []andon.DeploymentID
}

// MostExceptions bounds what a judgement names.
const MostExceptions = 5

// A tally is what was counted for a practice.
type tally struct {
	kept, of   int
	evidence   string
	exceptions []andon.DeploymentID
	never      bool // it could have been done, and never was
}

// Goals of the practices: those of their sources, and Andon's own where these give no number
// (StopGoal, FreshGoal, BatchGoal).
const (
	CommitGoal = 5 * time.Minute    // a commit stage takes no longer
	StopGoal   = time.Hour          // a line that a failure stopped stands no longer
	FreshGoal  = 7 * 24 * time.Hour // a change of the trunk waits no longer for production
	BatchGoal  = 3                  // a deployment brings no more changes
)

// The sources of the practices.
const (
	humbleFarley5 = "Humble and Farley, Continuous Delivery (2010), chapter 5, deployment pipeline practices"
	humbleFarley3 = "Humble and Farley, Continuous Delivery (2010), chapter 3, essential practices of continuous integration"
	humbleFarley2 = "Humble and Farley, Continuous Delivery (2010), chapter 2, keep everything in version control"
	humbleFarleyA = "Humble and Farley, Continuous Delivery (2010), chapter 10, rolling back deployments and zero-downtime releases"
	doraBatches   = "DORA capability \"working in small batches\" (dora.dev)"
	doraFrequency = "DORA capability \"continuous delivery\" (dora.dev)"
)

// Practices lists the practices, in the order of the way to production.
func Practices() []Practice {
	return []Practice{
		{
			Name: "environments-as-code", Title: "Environments are declared in version control", Least: 1, Goal: 1, Source: humbleFarley2,
			Rule: "environments that a commit of the estate's repository declares", Next: "Push an estate: `andon estate show` says what there is now.",
			count: func(r *Records) tally {
				return tally{kept: r.Declared, of: r.Environments, evidence: fmt.Sprintf("%d of %s", r.Declared, Many(r.Environments, "environment"))}
			},
		},
		{
			Name: "fast-commit-stage", Title: "The commit stage takes 5 minutes at most", Least: 5, Goal: 0.9, Source: humbleFarley3,
			Rule: "commit stages that ended within 5 minutes", Next: "See which job takes longest, and move what tests the whole to a later stage.",
			count: func(r *Records) tally {
				took := make([]time.Duration, 0, len(r.Commits))
				for _, c := range r.Commits {
					took = append(took, c.Took)
				}
				return within(took, CommitGoal, "commit stage")
			},
		},
		{
			Name: "fast-candidate", Title: "A commit is a release candidate within 30 minutes", Least: 5, Goal: 0.9, Source: humbleFarley5,
			Rule: "release candidates that took 30 minutes at most from their commit", Next: "`andon flow` names what the time goes to.",
			count: func(r *Records) tally { return within(slices.Clone(r.Candidates), CandidateGoal, "release candidate") },
		},
		{
			Name: "every-change-by-the-line", Title: "Every change comes through the line", Least: 5, Goal: 0.95, Source: humbleFarley5,
			Rule: "deployments to production that the pipeline made, not a person past its stages", Next: "Promote versions in place of deploying them: `andon promote`.",
			count: deliveries("that the pipeline made", func(d *Delivery) bool { return d.ByStage }),
		},
		{
			Name: "accepted-first", Title: "Production gets release candidates", Least: 5, Goal: 0.95, Source: humbleFarley5,
			Rule: "deployments to production of versions that had become release candidates before", Next: "Write an acceptance stage that grants release-candidate.",
			count: deliveries("of release candidates", func(d *Delivery) bool { return d.Accepted }),
		},
		{
			Name: "built-once", Title: "Binaries are built once", Least: 5, Goal: 1, Source: humbleFarley5,
			Rule: "deployments to production of a version that had the same digest wherever it was deployed", Next: "See which stage builds again, and have it take the artifact of the commit stage.",
			count: deliveries("with the same digest everywhere", func(d *Delivery) bool { return d.SameDigest }),
		},
		{
			Name: "same-mechanism", Title: "The same mechanism deploys everywhere", Least: 5, Goal: 0.95, Source: humbleFarley5,
			Rule: "deployments to production of a version that the same platform had deployed elsewhere before", Next: "Deploy to an environment before production, on the same platform: a stage with deploy: test.",
			count: deliveries("rehearsed in another environment", func(d *Delivery) bool { return d.Rehearsed }),
		},
		{
			Name: "smoke-tested", Title: "Every deployment is smoke-tested", Least: 5, Goal: 0.95, Source: humbleFarley5,
			Rule: "deployments to production whose new copies passed a smoke test before they had traffic", Next: "Write smoke: in andon.yaml: one request is a beginning.",
			count: deliveries("smoke-tested", func(d *Delivery) bool { return d.Smoked }),
		},
		{
			Name: "no-downtime", Title: "Deployments lose no request", Least: 5, Goal: 0.95, Source: humbleFarleyA,
			Rule: "deployments to production during which no request failed", Next: "Look at the ledger of those that lost some; give the copies more drain.",
			count: deliveries("without a failed request", func(d *Delivery) bool { return d.Lost == 0 }),
		},
		{
			Name: "stop-the-line", Title: "A line that stops is repaired at once", Least: 2, Goal: 0.8, Source: humbleFarley3,
			Rule: "stops by a failure or a rollback that lasted an hour at most", Next: "Repair or roll back before anything else; see who hears of it: `andon server --webhook`.",
			count: countStops,
		},
		{
			Name: "small-batches", Title: "Batches are small", Least: 5, Goal: 0.8, Source: doraBatches,
			Rule: "deployments to production that brought three changes at most", Next: "Let each change go on by itself: what waits for approval collects others behind it.",
			count: deliveries("with three changes at most", func(d *Delivery) bool { return d.Changes <= BatchGoal }),
		},
		{
			Name: "rollback-practised", Title: "Going back is practised", Least: 1, Goal: 0.95, Source: humbleFarleyA,
			Rule: "rollbacks in production that succeeded; there must be one in the period", Next: "Practise: `andon rollback SERVICE ENVIRONMENT` shows its plan first.",
			count: countRollbacks,
		},
		{
			Name: "weekly", Title: "Production gets something every week", Least: 2, Goal: 0.95, Source: doraFrequency,
			Rule: "whole weeks of the period, since there is a service, in which a deployment to production became live", Next: "See what holds the oldest version back: `andon why`.",
			count: countWeeks,
		},
		{
			Name: "fresh-trunk", Title: "Nothing waits longer than a week for production", Least: 1, Goal: 0.95, Source: humbleFarley5,
			Rule: "services whose trunk has no change that has waited longer than a week, as of now", Next: "See what holds them back: `andon why SERVICE`.",
			count: func(r *Records) tally {
				t := tally{kept: r.Fresh, of: r.Running, evidence: fmt.Sprintf("%d of %s", r.Fresh, Many(r.Running, "service"))}
				for i, name := range r.Stale {
					t.evidence += map[bool]string{true: "; not ", false: ", "}[i == 0] + string(name)
				}
				return t
			},
		},
	}
}

// Judge says how far a plant follows each practice.
func Judge(r Records) []Judgement {
	practices := Practices()
	judged := make([]Judgement, 0, len(practices))
	for _, p := range practices {
		t := p.count(&r)
		judged = append(judged, Judgement{
			Practice: p, Level: p.level(t), Kept: t.kept, Of: t.of, Evidence: t.evidence, Exceptions: t.exceptions,
		})
	}
	return judged
}

// level is the rule for all practices: enough records, then the share that kept to it.
func (p *Practice) level(t tally) Level {
	share := rate(t.kept, t.of)
	switch {
	case t.never:
		return NotYet
	case t.of < p.Least:
		return Unknown
	case share >= p.Goal:
		return Followed
	case share >= p.Goal/2:
		return Partly
	default:
		return NotYet
	}
}

// deliveries counts the deployments to production that became live and kept to something. Rollbacks
// are none.
func deliveries(words string, keeps func(*Delivery) bool) func(*Records) tally {
	return func(r *Records) tally {
		var t tally
		for i := range r.Deliveries {
			d := &r.Deliveries[i]
			if d.Kind != andon.DeployForward || d.Outcome != andon.Succeeded {
				continue
			}
			t.of++
			if keeps(d) {
				t.kept++
			} else if len(t.exceptions) < MostExceptions {
				t.exceptions = append(t.exceptions, d.Deployment)
			}
		}
		t.evidence = fmt.Sprintf("%d of %s %s", t.kept, Many(t.of, "deployment"), words)
		return t
	}
}

// within counts what took no longer than a goal.
func within(took []time.Duration, goal time.Duration, noun string) tally {
	t := tally{of: len(took)}
	for _, d := range took {
		if d <= goal {
			t.kept++
		}
	}
	t.evidence = fmt.Sprintf("%d of %s", t.kept, Many(t.of, noun))
	if t.of > 0 {
		t.evidence += ", half of them within " + Short(Median(took))
	}
	return t
}

func countStops(r *Records) tally {
	var stood []time.Duration
	for _, s := range r.Stops {
		if s.Cause != StopPerson {
			stood = append(stood, s.Took())
		}
	}
	return within(stood, StopGoal, "stop")
}

// enoughDeployments is how many deployments without one rollback say that nobody practises it.
const enoughDeployments = 5

// countRollbacks counts rollbacks. That there was none is no lack of records.
func countRollbacks(r *Records) tally {
	var t tally
	live := 0
	for i := range r.Deliveries {
		d := &r.Deliveries[i]
		if d.Kind != andon.DeployRollback {
			if d.Outcome == andon.Succeeded {
				live++
			}
			continue
		}
		t.of++
		if d.Outcome == andon.Succeeded {
			t.kept++
		} else if len(t.exceptions) < MostExceptions {
			t.exceptions = append(t.exceptions, d.Deployment)
		}
	}
	t.never = t.of == 0 && live >= enoughDeployments
	t.evidence = fmt.Sprintf("%d of %s went well", t.kept, Many(t.of, "rollback"))
	if t.of == 0 {
		t.evidence = fmt.Sprintf("none in %s", Many(live, "deployment"))
	}
	return t
}

func countWeeks(r *Records) tally {
	const week = 7 * 24 * time.Hour
	weeks := make([]bool, max(0, r.Period.To.Sub(later(r.Period.From, r.Began))/week)) // the last of them ends now
	for i := range r.Rollouts {
		if !r.Rollouts[i].Live() {
			continue
		}
		if ago := r.Period.To.Sub(r.Rollouts[i].Ended) / week; ago >= 0 && int(ago) < len(weeks) {
			weeks[ago] = true
		}
	}
	t := tally{of: len(weeks)}
	for _, some := range weeks {
		if some {
			t.kept++
		}
	}
	t.evidence = fmt.Sprintf("%d of %s", t.kept, Many(t.of, "week"))
	return t
}

// Many writes how many there are of something: "1 change", "12 changes".
func Many(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
