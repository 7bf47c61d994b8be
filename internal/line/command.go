package line

import (
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A Command is what somebody wants, and who it is.
type Command struct {
	By andon.Actor
	Do Verb
}

// A Verb is what a command does: one of the types in this file.
type Verb interface {
	// decide checks that the verb may be done and then emits what it does. Everything is
	// checked before the first event is emitted.
	decide(d *decision) error
}

// CreatePlant is the first command of a plant: it names it and declares its environments.
// On a plant that exists already it declares those environments that are new or differ.
type CreatePlant struct {
	Plant        string // a random ID; ignored when the plant has one
	Environments []andon.Environment
}

// ApplyEstate makes the environments those of a commit of the estate: all of them, valid as a
// whole. It is refused while an environment that would go is needed, and when it comes from
// elsewhere than the repository that is followed.
type ApplyEstate struct {
	Commit       andon.CommitID
	Environments []andon.Environment
	Origin       andon.EstateOrigin
}

// FollowEstate says that the estate is in a repository elsewhere; without a URL, that it is not
// any more.
type FollowEstate struct{ Source andon.Source }

// RefuseEstate says why a commit of the repository that is followed cannot be applied. What is
// known already causes no event.
type RefuseEstate struct {
	Commit   andon.CommitID
	Problems []*andon.Error
}

// AddService makes a service known before its first push.
type AddService struct {
	Service andon.ServiceName
	Source  andon.Source
}

// RemoveService takes a service out of the plant: its items end, its copies stop.
type RemoveService struct {
	Service andon.ServiceName
	Reason  string
}

// Push announces the new tip of a branch. A service that is not known is added with Source.
// Exactly one of Pipeline and Problem is set; the line keeps the pointers and never changes
// what they point to, and neither may the caller.
type Push struct {
	Service   andon.ServiceName
	Source    andon.Source // used if the service is new
	Branch    string
	Commit    andon.CommitID
	Parent    andon.CommitID // the tip before; empty for a new branch
	Author    string
	Subject   string
	Tickets   []string // that the whole message names
	Committed time.Time
	Pipeline  *andon.Pipeline
	Problem   *andon.Error // why the commit has no pipeline
}

// Promote admits a version past the manual gate of a stage, or reopens the way of a version
// that was superseded before that stage.
type Promote struct {
	Version andon.VersionRef
	Stage   andon.StageName
	Reason  string
}

// Deploy asks for a version in an environment, outside its pipeline.
type Deploy struct {
	Version     andon.VersionRef
	Environment andon.EnvironmentName
	Reason      string
}

// Rollback makes a version that was good in a place live there again, and quarantines the one
// that is live or on its way.
type Rollback struct {
	Place  andon.Place
	To     andon.VersionNumber // 0: the previous good one
	Reason string
}

// Cancel ends the way of a version (Version, and Stage if it must be at that stage) or a
// deployment (Deployment). Exactly one of Version and Deployment is set.
type Cancel struct {
	Version    andon.VersionRef
	Stage      andon.StageName
	Deployment andon.DeploymentID
	Reason     string
}

// Rerun runs a stage of a version again that failed or was cancelled there (Version, and Stage
// to go back to an earlier one), or asks again for a deployment that did not succeed.
type Rerun struct {
	Version    andon.VersionRef
	Stage      andon.StageName
	Deployment andon.DeploymentID
}

// PullCord stops the line within a scope.
type PullCord struct {
	Scope  andon.Scope
	Reason string
}

// ReleaseCord lets the line run again. Without a Cord it releases all that are open with
// exactly that scope.
type ReleaseCord struct {
	Cord   andon.CordID
	Scope  andon.Scope
	Reason string
}

// ConnectAgent makes an agent known, or known again. The AgentConnected event says the epoch
// of the connection. Leases that the agent holds stay its own.
type ConnectAgent struct{ Hello andon.Hello }

// AddHost lets a host join the plant, once, with a token of which only the hash is known.
type AddHost struct {
	Host      andon.AgentName
	Labels    map[string]string
	TokenHash string
	Expires   time.Time
}

// JoinHost lets a host in that comes with its token and a key of its own.
type JoinHost struct {
	Host      andon.AgentName
	TokenHash string
	Key       string
}

// RemoveHost takes a host out of the plant. Without Force it is refused while copies should run
// there.
type RemoveHost struct {
	Host   andon.AgentName
	Force  bool
	Reason string
}

// LoseAgent says that an agent has not been heard of for too long. Its leases end as lost. An
// Epoch older than the agent's present one does nothing.
type LoseAgent struct {
	Agent  andon.AgentName
	Epoch  int64
	Reason string
}

// FinishTask reports the end of a task. It is refused as a conflict unless Token is the newest
// lease's and the lease is the agent's: a conflict means that the result is not wanted any
// more, and reporting it again is useless.
type FinishTask struct {
	Agent  andon.AgentName
	Epoch  int64 // of the agent's connection; 0: not checked
	Task   andon.TaskID
	Token  andon.Token
	Result andon.TaskResult
}

// ExpireLease says that a lease was not renewed. A stale token does nothing.
type ExpireLease struct {
	Task  andon.TaskID
	Token andon.Token
}

// Observe records what an agent attests. What is known already causes no event.
type Observe struct{ Observation andon.Observation }

// Judge has the new group of an active deployment that is watched compared with the old one, by
// what the proxies of its place have counted so far: all of them, each as it last said. It is
// worth sending whenever that grows; most often it causes no event.
type Judge struct {
	Deployment andon.DeploymentID
	Groups     []andon.GroupStats
}

// Considered is a command that is made from the state on which it is decided, by somebody who looks
// there whether things still are as they were shown. The function only reads the state, and may be
// called again when the first decision could not be kept.
type Considered func(s *State) (Verb, error)

func (c Considered) decide(d *decision) error {
	verb, err := c(d.s)
	if err != nil {
		return err
	}
	return d.do(verb)
}

// Tick lets the line do what time allows. The engine sends it when Wake says so.
type Tick struct{}
