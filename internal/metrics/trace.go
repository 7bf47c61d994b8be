package metrics

import (
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A Cause says what a change waited for.
type Cause string

// What changes wait for. Work is no wait.
const (
	Work     Cause = ""
	Push     Cause = "push"     // committed, and not pushed yet
	Agent    Cause = "agent"    // a free slot on an agent, or an agent at all
	Approval Cause = "approval" // a person lets it into a stage
	Stopped  Cause = "stopped"  // the line stood
	Lock     Cause = "lock"     // the place is taken by another deployment, or another version's stage
	Fix      Cause = "fix"      // what failed is not repaired yet, though the line did not stand
)

// Causes lists every cause of a wait.
func Causes() []Cause { return []Cause{Push, Agent, Approval, Stopped, Lock, Fix} }

// A Leg is a part of a change's way in which it was worked on or waited for one thing.
type Leg struct {
	Span
	Version andon.VersionNumber `json:"version"`         // that carried the change; 0: none yet
	Stage   andon.StageName     `json:"stage,omitempty"` // that it was in or waited for; empty: between versions
	Cause   Cause               `json:"cause,omitempty"` // Work, or what it waited for
}

// A Visit is one run of a stage.
type Visit struct {
	Stage    andon.StageName
	Started  time.Time
	Finished time.Time // zero: it runs
	Outcome  andon.Outcome
	// Work are the times in which an agent had one of its tasks, or its deployment was on its way.
	Work []Span
}

// An Admission lets a version into a stage that waits for approval.
type Admission struct {
	Stage andon.StageName
	At    time.Time
}

// A Way is what is known of one version of the trunk.
type Way struct {
	Version    andon.VersionNumber
	Created    time.Time           // when it was pushed
	Ended      time.Time           // zero: it is on its way
	By         andon.VersionNumber // that superseded it; 0: none did
	Visits     []Visit             // in the order in which they began
	Admissions []Admission
	Pipeline   *andon.Pipeline // nil: it had none
}

// A Course is what is known of a change from its commit until it was in production.
type Course struct {
	Committed time.Time
	Delivered time.Time
	// Ways are those of the versions of the trunk from the one that the change came with on, in
	// the trunk's order: each of them has the change in it.
	Ways    []Way
	Stopped []Span // when the service's line stood
}

// Trace divides the time from a change's commit, or from its push if that is earlier by the
// clocks or the commit tells no time, to its delivery. The legs follow each other without a gap, so that their sum is the lead
// time. While the version that carries the change is on its way, they are that version's; when it
// ended short of production, the version that superseded it carries the change on, or else the
// next one that was or came on its way. A course without ways has no legs.
func Trace(c Course) []Leg {
	if len(c.Ways) == 0 {
		return nil
	}
	t := tracer{course: c, at: c.Ways[0].Created}
	if !c.Committed.IsZero() {
		t.at = earlier(c.Committed, t.at)
	}
	t.inOrder = slices.IsSortedFunc(c.Ways, func(a, b Way) int { return a.Created.Compare(b.Created) })
	t.course.Stopped = union(c.Stopped, Span{From: t.at, To: c.Delivered})
	t.pass(c.Ways[0].Created, Leg{Version: c.Ways[0].Version, Stage: andon.CommitStageName, Cause: Push})
	for carrier := 0; carrier < len(c.Ways) && t.at.Before(c.Delivered); {
		t.ride(&c.Ways[carrier])
		carrier = t.change(carrier)
	}
	t.pass(c.Delivered, Leg{Cause: Fix})
	return t.legs
}
