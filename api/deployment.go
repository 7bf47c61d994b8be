package api

import "time"

// A Deployment is one attempt to make a version live in an environment, as lists show it.
type Deployment struct {
	ID          string         `json:"id"`
	Service     string         `json:"service"`
	Environment string         `json:"environment"`
	Version     int64          `json:"version"`
	Previous    int64          `json:"previous,omitempty" doc:"the version that was live before"`
	Kind        DeploymentKind `json:"kind" enum:"deploy,rollback"`
	Strategy    Strategy       `json:"strategy" enum:"rolling,blue-green,canary,replace"`
	Stage       string         `json:"stage,omitempty" doc:"the stage that asked for it"`
	By          string         `json:"by"`
	Why         string         `json:"why,omitempty" doc:"in a person's words"`
	Artifact    string         `json:"artifact"`
	Planned     time.Time      `json:"planned"`
	Started     *time.Time     `json:"started,omitempty" doc:"left out while it is queued"`
	Ended       *time.Time     `json:"ended,omitempty"`
	TookMS      int64          `json:"took_ms,omitempty"`
	Step        DeploymentStep `json:"step,omitempty"`
	Outcome     Outcome        `json:"outcome,omitempty"`
	Reason      string         `json:"reason,omitempty" doc:"why it reverts, or ended as it did"`
	Ledger      *Ledger        `json:"ledger,omitempty" doc:"of a deployment that goes on, or whose version is live: as of now"`
	Position    int64          `json:"position" doc:"in the journal, of its plan; the key of pages"`
}

// A DeploymentDetail is one deployment in full.
type DeploymentDetail struct {
	Deployment
	Maturity Maturity         `json:"maturity,omitempty" doc:"of its version, now: quarantined when it was rolled back"`
	Plan     Plan             `json:"plan"`
	Steps    []DeploymentMove `json:"steps" doc:"the steps that it came to, in order"`
	Shares   []Share          `json:"shares" doc:"of the requests that its copies were to get, as they changed; none without a route"`
	Verdicts []Verdict        `json:"verdicts" doc:"what the comparison of its copies with the old ones found, as that changed"`
	Copies   []Copy           `json:"copies" doc:"that it brought up"`
	Tasks    []Task           `json:"tasks" doc:"its smoke tests"`
	Waits    []Wait           `json:"waits" doc:"why it does not move"`
}

// A Share is how much of the requests the copies of a deployment get from a time on.
type Share struct {
	Time    time.Time `json:"time"`
	Percent float64   `json:"percent"`
}

// A Verdict is what the comparison of a deployment's copies with the old ones found, with what the
// proxies had counted until then.
type Verdict struct {
	Time    time.Time   `json:"time"`
	Verdict VerdictWord `json:"verdict" enum:"open,alike,worse"`
	Reason  string      `json:"reason"`
	Before  Answers     `json:"before" doc:"of the old copies"`
	After   Answers     `json:"after" doc:"of the new ones"`
}

// Answers are what the copies of one group answered while both groups got requests.
type Answers struct {
	Requests int64   `json:"requests"`
	Errors   int64   `json:"errors" doc:"answers with status 5xx, and requests that failed"`
	P95MS    float64 `json:"p95_ms,omitempty" doc:"within which 95 of 100 requests had the first byte of their answer, to the next bound of the counts"`
}

// A DeploymentMove says when a deployment came to a step.
type DeploymentMove struct {
	Step   DeploymentStep `json:"step"`
	Time   time.Time      `json:"time"`
	Reason string         `json:"reason,omitempty"`
}

// A Plan is a deployment as data: what it changes, and how.
type Plan struct {
	Service     string         `json:"service"`
	Environment string         `json:"environment"`
	Version     int64          `json:"version"`
	Previous    int64          `json:"previous,omitempty" doc:"the version that is live before"`
	Kind        DeploymentKind `json:"kind"`
	Strategy    Strategy       `json:"strategy"`
	Platform    string         `json:"platform" doc:"what runs the copies"`
	Aborts      string         `json:"aborts,omitempty" doc:"the deployment that is in the way, and goes back first"`
	Quarantines int64          `json:"quarantines,omitempty" doc:"the version that nothing brings back by itself any more"`
	Reuses      string         `json:"reuses,omitempty" doc:"the group of copies that is there already, and is used again"`
	Changes     Changes        `json:"changes"`
	Steps       []PlanStep     `json:"steps"`
	Pace        Pace           `json:"pace"`
	Agents      []string       `json:"agents" doc:"the hosts that get copies, in turn"`
	Placement   []Placement    `json:"placement" doc:"how many copies are started on which host"`
	Edges       []string       `json:"edges" doc:"the hosts whose proxies get the route"`
	Hosts       []string       `json:"hosts" doc:"the host names that lead to it"`
	SoakMS      int64          `json:"soak_ms"`
	WarmMS      int64          `json:"warm_ms,omitempty" doc:"how long the old copies stay afterwards, so that going back is one switch"`
}

// A Pace says how long a deployment should take.
type Pace struct {
	ExpectedMS int64 `json:"expected_ms,omitempty" doc:"the median of the last ones like it, with its own pauses; left out: there was none"`
	From       int   `json:"from,omitempty" doc:"of how many"`
	AtLeastMS  int64 `json:"at_least_ms" doc:"its pauses and its soak alone"`
}

// A Placement is how many copies a host gets.
type Placement struct {
	Agent  string `json:"agent"`
	Copies int    `json:"copies"`
}

// Changes are what a deployment changes.
type Changes struct {
	Commits       []Change     `json:"commits" doc:"the versions that come with it, newest first; with a rollback, those that go. At most 100."`
	Artifact      Difference   `json:"artifact"`
	Configuration Difference   `json:"configuration" doc:"hashes"`
	Environment   []KeyChange  `json:"environment_keys" doc:"environment variables that differ, without their values"`
	Settings      []KeyChange  `json:"settings" doc:"other keys of the configuration that differ"`
	Copies        CountsChange `json:"copies"`
}

// A Change is one version that a deployment brings or takes away.
type Change struct {
	Version int64  `json:"version"`
	Commit  string `json:"commit"`
	Author  string `json:"author"`
	Subject string `json:"subject"`
}

// A Difference is what was and what will be.
type Difference struct {
	From string `json:"from,omitempty"`
	To   string `json:"to"`
	Same bool   `json:"same"`
}

// A KeyChange is one key of the configuration that differs.
type KeyChange struct {
	Key    string `json:"key"`
	Change string `json:"change" enum:"added,changed,removed"`
	From   string `json:"from,omitempty" doc:"never of an environment variable or a command"`
	To     string `json:"to,omitempty" doc:"likewise"`
}

// A CountsChange is how many copies were and will be.
type CountsChange struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// A PlanStep is one step that the deployment will take.
type PlanStep struct {
	Step DeploymentStep `json:"step"`
	Does string         `json:"does" doc:"one sentence for people"`
	// Agents are left out where the plan does not say.
	Agents    []string `json:"agents,omitempty" doc:"the hosts where it happens"`
	AtLeastMS int64    `json:"at_least_ms,omitempty" doc:"that it takes by the plan: a pause, or a soak"`
}

// A Copy is one running copy of a version.
type Copy struct {
	ID        string    `json:"id"`
	Version   int64     `json:"version"`
	Agent     string    `json:"agent"`
	Platform  string    `json:"platform,omitempty" doc:"what runs it; left out: process"`
	Wanted    bool      `json:"wanted" doc:"it should run"`
	Phase     Phase     `json:"phase,omitempty" doc:"as its agent attests; left out before the agent has said anything, and when the copy is gone"`
	InTraffic bool      `json:"in_traffic" doc:"it gets new requests"`
	Address   string    `json:"address,omitempty"`
	Restarts  int       `json:"restarts,omitempty"`
	Reason    string    `json:"reason,omitempty" doc:"when it is not healthy, or nobody attests it"`
	Log       string    `json:"log" doc:"the name of its log"`
	Placed    time.Time `json:"placed,omitzero" required:"false"`
}

// A Ledger counts the requests that the proxy handled since a deployment began to move traffic.
type Ledger struct {
	Deployment     string `json:"deployment"`
	Requests       int64  `json:"requests" doc:"served, failed, client_gone and unknown together"`
	Served         int64  `json:"served"`
	Retried        int64  `json:"retried"`
	Failed         int64  `json:"failed"`
	ClientGone     int64  `json:"client_gone"`
	Unknown        int64  `json:"unknown" doc:"in flight when the proxy was killed"`
	AtSwitch       int64  `json:"at_switch" doc:"in flight on the old copies when traffic moved"`
	Drained        int64  `json:"drained"`
	CutOff         int64  `json:"cut_off"`
	Upgraded       int64  `json:"upgraded" doc:"websockets and the like, opened"`
	Moved          int64  `json:"moved" doc:"of those drained or cut off, websockets and the like: their clients open them again"`
	LongestDrainMS int64  `json:"longest_drain_ms"`
}
