package line

import (
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/deploy"
)

// A State is everything about the plant that decides what happens next. Its exported fields are
// for reading only, by the goroutine that owns the state; Decide and Apply alone change them.
type State struct {
	Plant        string                                       `json:"plant,omitempty"`
	Environments map[andon.EnvironmentName]*andon.Environment `json:"environments,omitempty"`
	Estate       *Estate                                      `json:"estate,omitempty"`   // nil: the defaults apply
	Followed     *FollowedEstate                              `json:"followed,omitempty"` // nil: the estate is not in a repository elsewhere
	Services     map[andon.ServiceName]*Service               `json:"services,omitempty"`
	Places       map[string]*Place                            `json:"places,omitempty"` // by andon.Place.Key
	Tasks        map[andon.TaskID]*Task                       `json:"tasks,omitempty"`  // that have not ended
	Agents       map[andon.AgentName]*Agent                   `json:"agents,omitempty"`
	Hosts        map[andon.AgentName]*Host                    `json:"hosts,omitempty"` // that were added, or removed
	Cords        []*Cord                                      `json:"cords,omitempty"` // that are pulled, oldest first

	// Queue holds the tasks that nobody has, the first to be given out first.
	Queue []andon.TaskID `json:"queue,omitempty"`
	// Removed remembers the counters of services and places that are gone, so that a service
	// of the same name never reuses an ID.
	Removed map[andon.ServiceName]*Removed `json:"removed,omitempty"`

	Token      andon.Token `json:"token,omitempty"`      // of the newest lease
	Generation int64       `json:"generation,omitempty"` // of the newest Desired of any place
	CordCount  int64       `json:"cord_count,omitempty"` // cords ever pulled

	todo agenda // what Decide has still to look at; no part of the state
}

// A Service is one service of the plant.
type Service struct {
	Name   andon.ServiceName `json:"name"`
	Source andon.Source      `json:"source"`
	Added  time.Time         `json:"added"`
	// Newest is the number of the newest version.
	Newest andon.VersionNumber `json:"newest,omitempty"`
	// Order counts the versions that reached the trunk.
	Order int64 `json:"order,omitempty"`
	// Versions holds the open versions, those that a place refers to, and the newest of the
	// rest.
	Versions map[andon.VersionNumber]*Version `json:"versions,omitempty"`
	// Entered says which version in trunk order was the last to enter a stage.
	Entered map[andon.StageName]Entry `json:"entered,omitempty"`
}

// An Entry is a version that entered a stage.
type Entry struct {
	Version andon.VersionNumber `json:"version"`
	Order   int64               `json:"order"`
}

// A Version is one commit on its way.
type Version struct {
	Ref       andon.VersionRef `json:"ref"`
	Commit    andon.CommitID   `json:"commit"`
	Branch    string           `json:"branch"`
	Trunk     bool             `json:"trunk,omitempty"`
	Order     int64            `json:"order,omitempty"` // among the versions of the trunk; 0 off the trunk
	Author    string           `json:"author,omitempty"`
	Subject   string           `json:"subject,omitempty"`
	Committed time.Time        `json:"committed"`
	Created   time.Time        `json:"created"`
	Pipeline  *andon.Pipeline  `json:"pipeline,omitempty"`
	Problem   *andon.Error     `json:"problem,omitempty"`

	Maturity andon.Maturity  `json:"maturity"`
	Earned   andon.Maturity  `json:"earned"` // what its stages granted, also when it was rejected later
	Artifact *andon.Artifact `json:"artifact,omitempty"`

	// Next is the stage that the version is in, or waits to enter: an index into
	// Pipeline.Stages, -1 for the commit stage. Beyond the last: it went through all.
	Next  int       `json:"next"`
	Since time.Time `json:"since"` // since when it is there
	// Run is the stage that it is in; nil while it waits to enter it, and once it ended.
	Run *StageRun `json:"run,omitempty"`
	// Admitted is the stage that a person let it into; Forced is set when that person reopened
	// its way, so that versions that have been there already do not supersede it at once.
	Admitted andon.StageName `json:"admitted,omitempty"`
	Forced   bool            `json:"forced,omitempty"`
	// Ended says how its way ended; nil while it is open.
	Ended *End `json:"ended,omitempty"`
	// Stages holds the last run of each stage that it has entered and left, in the order of
	// leaving them.
	Stages []StageEnd `json:"stages,omitempty"`
}

// An End is how a version's way ended.
type End struct {
	Outcome andon.Outcome       `json:"outcome"`
	Reason  string              `json:"reason,omitempty"`
	At      time.Time           `json:"at"`
	By      andon.VersionNumber `json:"by,omitempty"` // that superseded it
}

// A StageRun is a stage that a version is in.
type StageRun struct {
	Stage   andon.StageName           `json:"stage"`
	Run     int                       `json:"run"`
	Started time.Time                 `json:"started"`
	Jobs    map[andon.JobName]*JobRun `json:"jobs,omitempty"` // that have been queued
	// Deployment is the one that the stage asked for; its outcome is empty until it ended.
	Deployment        andon.DeploymentID `json:"deployment,omitempty"`
	DeploymentOutcome andon.Outcome      `json:"deployment_outcome,omitempty"`
	DeploymentReason  string             `json:"deployment_reason,omitempty"`

	// waiting says that nothing follows before one of the jobs ends; derived.
	waiting bool
}

// A JobRun is a job of a stage that a version is in.
type JobRun struct {
	Task     andon.TaskID    `json:"task"`
	Outcome  andon.Outcome   `json:"outcome,omitempty"` // empty: it has not ended
	Reason   string          `json:"reason,omitempty"`
	Artifact *andon.Artifact `json:"artifact,omitempty"`
}

// A StageEnd is how a version left a stage.
type StageEnd struct {
	Stage      andon.StageName    `json:"stage"`
	Run        int                `json:"run"`
	Outcome    andon.Outcome      `json:"outcome"`
	Reason     string             `json:"reason,omitempty"`
	Ended      time.Time          `json:"ended"`
	Took       time.Duration      `json:"took_ns"`
	Slow       bool               `json:"slow,omitempty"`
	Deployment andon.DeploymentID `json:"deployment,omitempty"`
}

// A Task is a task that has not ended: in the queue, or leased.
type Task struct {
	Task    andon.Task `json:"task"`
	Queued  time.Time  `json:"queued"`
	Attempt int        `json:"attempt,omitempty"` // of the lease, or of the last one; 0: never leased
	// Agent has the lease; empty: the task is in the queue.
	Agent  andon.AgentName `json:"agent,omitempty"`
	Token  andon.Token     `json:"token,omitempty"`
	Leased time.Time       `json:"leased,omitzero"`
	Cancel bool            `json:"cancel,omitempty"`
	Reason string          `json:"reason,omitempty"` // why it is cancelled
}

// An Agent is an agent that has connected at least once.
type Agent struct {
	Name   andon.AgentName   `json:"name"`
	Epoch  int64             `json:"epoch"`
	Slots  int               `json:"slots"`
	Labels map[string]string `json:"labels,omitempty"`
	Build  string            `json:"build,omitempty"`
	// Platforms are what it can run copies on; none: processes alone.
	Platforms []string  `json:"platforms,omitempty"`
	Protocol  int       `json:"protocol,omitempty"`
	Address   string    `json:"address,omitempty"` // where its copies are reached from other hosts
	Proxy     string    `json:"proxy,omitempty"`   // where its proxy answers, as in a Hello
	Targets   int       `json:"targets,omitempty"` // that its proxy has in one route at most; 0: any number
	Since     time.Time `json:"since"`             // of the connection, or of its loss
	Lost      bool      `json:"lost,omitempty"`    // it is away; its copies keep running
	Reason    string    `json:"reason,omitempty"`
	Jobs      int       `json:"jobs,omitempty"` // leases that take a slot

	leases map[andon.TaskID]struct{} // derived, as are places
	places []string                  // in rising order
	heard  bool                      // it has attested something in this connection, and since the state was loaded
}

// A Place is one service in one environment: what should be there, what agents attest, and
// what changes it.
type Place struct {
	Place   andon.Place   `json:"place"`
	Desired andon.Desired `json:"desired"`
	// RouteGeneration and RouteChanged say which Desired last changed the route, and when.
	RouteGeneration int64     `json:"route_generation,omitempty"`
	RouteChanged    time.Time `json:"route_changed,omitzero"`
	// Copies holds every copy that is desired or that an agent attests.
	Copies map[andon.InstanceID]*deploy.Record `json:"copies,omitempty"`
	// Routes is what each agent attests of the place's route.
	Routes map[andon.AgentName]*andon.RouteState `json:"routes,omitempty"`

	// Hosts names the agents that have, or had, copies of the place or its route.
	Hosts []andon.AgentName `json:"hosts,omitempty"`

	Live  *andon.Release `json:"live,omitempty"` // made live by the last deployment that succeeded
	Group andon.GroupID  `json:"group,omitempty"`
	Since time.Time      `json:"since,omitzero"` // when it became live
	// Good holds the releases that became live here, oldest first, at most keptGood.
	Good []Good `json:"good,omitempty"`

	Deployments int64         `json:"deployments,omitempty"` // ever planned
	Active      *Deployment   `json:"active,omitempty"`      // the one that changes the place now
	Queued      []*Deployment `json:"queued,omitempty"`      // asked for by people, in the order asked
	Holder      *Holder       `json:"holder,omitempty"`      // the stage that has the place
	Last        *Ended        `json:"last,omitempty"`        // the last deployment that ended
	// Warm is the group that was live before and stays for going back to it; nil: there is none.
	Warm *andon.Warm `json:"warm,omitempty"`
	// Removing says that the service was removed: the place is forgotten when its copies stopped.
	Removing bool `json:"removing,omitempty"`

	wake time.Time // when the active deployment must be looked at again
}

// A Good release became live in a place.
type Good struct {
	Release     andon.Release      `json:"release"`
	Group       andon.GroupID      `json:"group"`
	Deployment  andon.DeploymentID `json:"deployment"`
	Since       time.Time          `json:"since"`
	Quarantined bool               `json:"quarantined,omitempty"`
}

// A Holder is the stage of a version that has a place for itself.
type Holder struct {
	Version andon.VersionNumber `json:"version"`
	Stage   andon.StageName     `json:"stage"`
	Since   time.Time           `json:"since"`
}

// A Deployment is one that is queued or changes its place.
type Deployment struct {
	Plan      andon.Plan           `json:"plan"`
	Planned   time.Time            `json:"planned"`
	Started   time.Time            `json:"started,omitzero"` // zero: it is queued
	Step      andon.DeploymentStep `json:"step,omitempty"`
	StepSince time.Time            `json:"step_since,omitzero"`
	// Outcome and Reason are set while it reverts: what it will end with, and why.
	Outcome andon.Outcome `json:"outcome,omitempty"`
	Reason  string        `json:"reason,omitempty"`
	// Smokes holds the smoke test of each copy that has one.
	Smokes map[andon.InstanceID]*deploy.Smoke `json:"smokes,omitempty"`
	// Judgement is the newest one of the comparison with the old group; nil: there is none.
	Judgement *andon.Judgement `json:"judgement,omitempty"`

	looks int // how many looks at both groups were taken, as far as it is known; see Judge
}

// An Ended deployment is the last one of a place.
type Ended struct {
	Plan    andon.Plan    `json:"plan"`
	Outcome andon.Outcome `json:"outcome"`
	Reason  string        `json:"reason,omitempty"`
	Started time.Time     `json:"started,omitzero"`
	Ended   time.Time     `json:"ended"`
	Ledger  *andon.Ledger `json:"ledger,omitempty"`
}

// A Cord is a cord that is pulled.
type Cord struct {
	andon.Cord
	// Order is the place in trunk order after which versions are candidates for the fix.
	Order int64 `json:"order,omitempty"`
}

// Removed is what is left of a service that was removed.
type Removed struct {
	Newest      andon.VersionNumber             `json:"newest"`
	Deployments map[andon.EnvironmentName]int64 `json:"deployments,omitempty"`
}

// New returns the state of a plant of which nothing is known yet.
func New() *State {
	s := &State{}
	s.prepare()
	return s
}

// prepare makes a state that came from nowhere or from a snapshot ready for use.
func (s *State) prepare() {
	fill(&s.Environments)
	fill(&s.Services)
	fill(&s.Places)
	fill(&s.Tasks)
	fill(&s.Agents)
	fill(&s.Hosts)
	fill(&s.Removed)
	s.index()
	s.todo.everything = true
}

func fill[K comparable, V any](m *map[K]V) {
	if *m == nil {
		*m = make(map[K]V)
	}
}

// put sets a key of a map that is made when it is first needed.
func put[K comparable, V any](m *map[K]V, k K, v V) {
	fill(m)
	(*m)[k] = v
}
