package api

import "time"

// A Status is the whole plant at a glance.
type Status struct {
	Plant        string          `json:"plant"`
	Position     int64           `json:"position" doc:"of the journal"`
	Time         time.Time       `json:"time"`
	Line         LineState       `json:"line" enum:"running,slow,stopped"`
	Environments []string        `json:"environments" doc:"in the order in which versions pass them, as far as that is known"`
	Services     []ServiceStatus `json:"services"`
	Cords        []Cord          `json:"cords" doc:"that are pulled"`
	Refused      *RefusedEstate  `json:"estate_refused,omitempty" doc:"the newest commit of the estate that is followed, when it cannot be applied"`
	Agents       []Agent         `json:"agents"`
	Totals       Totals          `json:"totals"`
}

// Totals count what a status lists.
type Totals struct {
	Services     int `json:"services"`
	OnTheirWay   int `json:"on_their_way" doc:"versions"`
	Deployments  int `json:"deployments" doc:"that go on"`
	Cords        int `json:"cords"`
	Copies       int `json:"copies" doc:"that should run"`
	Healthy      int `json:"healthy" doc:"of those"`
	Agents       int `json:"agents" doc:"that are connected"`
	TasksRunning int `json:"tasks_running"`
	TasksQueued  int `json:"tasks_queued"`
}

// A ServiceStatus is one service at a glance.
type ServiceStatus struct {
	Service      string        `json:"service"`
	Team         string        `json:"team,omitempty" doc:"who is responsible for it, as its andon.yaml says"`
	Line         LineState     `json:"line" enum:"running,slow,stopped"`
	Trunk        string        `json:"trunk"`
	Repository   string        `json:"repository,omitempty" doc:"left out: the built-in git"`
	Newest       int64         `json:"newest,omitempty" doc:"the newest version"`
	OnItsWay     []OnItsWay    `json:"on_its_way" doc:"versions that have not ended, newest first"`
	Environments []PlaceStatus `json:"environments"`
	Cords        []string      `json:"cords" doc:"the pulled cords that stop it"`
}

// OnItsWay is one version that has not ended.
type OnItsWay struct {
	Version  int64     `json:"version"`
	Commit   string    `json:"commit"`
	Branch   string    `json:"branch"`
	Trunk    bool      `json:"trunk"`
	Author   string    `json:"author"`
	Subject  string    `json:"subject"`
	Maturity Maturity  `json:"maturity"`
	Stage    string    `json:"stage" doc:"that it is in or waits to enter"`
	Waiting  bool      `json:"waiting" doc:"it has not entered the stage"`
	Since    time.Time `json:"since"`
	Reason   string    `json:"reason,omitempty" doc:"why it does not move"`
	Action   string    `json:"action,omitempty" doc:"the command that unblocks it"`
}

// A PlaceStatus is one service in one environment.
type PlaceStatus struct {
	Environment string            `json:"environment"`
	Live        *Live             `json:"live,omitempty" doc:"left out: nothing is live"`
	Copies      Copies            `json:"copies"`
	Warm        *Warm             `json:"warm,omitempty" doc:"the release before, which stays without requests, so that going back to it is one switch"`
	Deployment  *DeploymentStatus `json:"deployment,omitempty" doc:"the one that goes on"`
	Queued      int               `json:"queued,omitempty" doc:"deployments that wait for it"`
	URLs        []string          `json:"urls" doc:"where it answers: its host names at the proxy of an edge that is there"`
}

// Live is what is live in a place.
type Live struct {
	Version  int64     `json:"version"`
	Commit   string    `json:"commit"`
	Artifact string    `json:"artifact"`
	Platform string    `json:"platform,omitempty" doc:"what runs its copies; left out: process"`
	Since    time.Time `json:"since"`
	AgeMS    int64     `json:"age_ms"`
}

// Warm is a release that is not live any more and whose copies stay for some time.
type Warm struct {
	Version int64     `json:"version"`
	Copies  int       `json:"copies"`
	Until   time.Time `json:"until"`
}

// Copies count the copies of a place, but for those that are kept warm.
type Copies struct {
	Wanted    int `json:"wanted"`
	Healthy   int `json:"healthy"`
	InTraffic int `json:"in_traffic"`
	// Unattested copies are in none of the other two numbers.
	Unattested int `json:"unattested,omitempty" doc:"copies of which nothing is known now: their agent is away, or has not said yet what runs there"`
}

// A DeploymentStatus is a deployment that goes on.
type DeploymentStatus struct {
	ID      string         `json:"id"`
	Version int64          `json:"version"`
	Kind    DeploymentKind `json:"kind"`
	Step    DeploymentStep `json:"step"`
	Since   time.Time      `json:"since" doc:"when it came to the step"`
	Reason  string         `json:"reason,omitempty" doc:"why it reverts"`
}

// A Service is one independently deployable thing.
type Service struct {
	Name       string     `json:"name"`
	Repository string     `json:"repository,omitempty" doc:"left out: the built-in git"`
	Git        string     `json:"git,omitempty" doc:"where to push it, with the built-in git"`
	Trunk      string     `json:"trunk" doc:"the branch whose commits go to production"`
	Added      time.Time  `json:"added"`
	By         string     `json:"by" doc:"who added it"`
	Removed    *time.Time `json:"removed,omitempty"`
	Newest     int64      `json:"newest,omitempty" doc:"the newest version"`
}

// A ServiceDetail is one service with what runs of it.
type ServiceDetail struct {
	Service
	Line        LineState     `json:"line" enum:"running,slow,stopped"`
	OnItsWay    []OnItsWay    `json:"on_its_way"`
	Places      []PlaceDetail `json:"places"`
	Cords       []Cord        `json:"cords" doc:"that stop it"`
	Waits       []Wait        `json:"waits"`
	Versions    []Version     `json:"versions" doc:"the newest ones"`
	Deployments []Deployment  `json:"deployments" doc:"the newest ones"`
}

// A PlaceDetail is one service in one environment with its copies.
type PlaceDetail struct {
	PlaceStatus
	CopyList []Copy  `json:"copy_list"`
	Ledger   *Ledger `json:"ledger,omitempty" doc:"of the newest deployment, as of now"`
	Rollback []int64 `json:"rollback" doc:"the versions that a rollback can go back to, the default first"`
}

// An Environment is a place where services run.
type Environment struct {
	Name     string    `json:"name"`
	Strategy Strategy  `json:"strategy"`
	Hosts    string    `json:"hosts" doc:"of routes; {service} stands for the service's name"`
	Platform string    `json:"platform,omitempty" doc:"what runs copies there; left out: process"`
	SoakMS   int64     `json:"soak_ms"`
	Declared time.Time `json:"declared"`
}

// An Agent does things to the world: runs steps, places copies, switches traffic.
type Agent struct {
	Name      string            `json:"name"`
	Connected bool              `json:"connected"`
	Since     time.Time         `json:"since" doc:"of the connection, or of its loss"`
	Reason    string            `json:"reason,omitempty" doc:"why it is not connected"`
	Slots     int               `json:"slots" doc:"jobs that it runs at once; 0: only those that must run beside its copies, one at a time"`
	Busy      int               `json:"busy"`
	Labels    map[string]string `json:"labels,omitempty"`
	Platforms []string          `json:"platforms,omitempty" doc:"that it runs copies on; left out: process alone"`
	Build     string            `json:"build,omitempty" doc:"the version of andon that it runs"`
	Tasks     []string          `json:"tasks" doc:"that it has now"`
}

// A Plant says which plant answers.
type Plant struct {
	Plant    string `json:"plant" doc:"its random ID"`
	Build    string `json:"build" doc:"the version of andon"`
	Address  string `json:"address"`
	Proxy    string `json:"proxy,omitempty" doc:"the address of the built-in proxy"`
	Position int64  `json:"position" doc:"of the journal"`
}
