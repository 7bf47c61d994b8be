package api

import "time"

// A Why says what holds something back.
type Why struct {
	About string `json:"about" doc:"what was asked for"`
	// Sentence is the answer in one sentence.
	Sentence string `json:"sentence"`
	Moves    bool   `json:"moves" doc:"nothing holds it back"`
	Waits    []Wait `json:"waits"`
	Cords    []Cord `json:"cords" doc:"that stop it"`
}

// A Wait says why one thing does not move.
type Wait struct {
	Service    string     `json:"service,omitempty"`
	Version    int64      `json:"version,omitempty"`
	Stage      string     `json:"stage,omitempty"`
	Deployment string     `json:"deployment,omitempty"`
	Task       string     `json:"task,omitempty"`
	Kind       WaitKind   `json:"kind" enum:"agent,lock,cord,approval,task,copies,traffic,drain,soak,stop,deployment"`
	On         string     `json:"on,omitempty" doc:"what it waits for"`
	Since      time.Time  `json:"since"`
	Until      *time.Time `json:"until,omitempty" doc:"when it ends at the latest"`
	Reason     string     `json:"reason" doc:"one sentence for people"`
	Action     string     `json:"action,omitempty" doc:"the command that unblocks it"`
	Because    []Wait     `json:"because,omitempty" doc:"what holds back that which it waits for"`
}

// A Scope is what a cord stops.
type Scope struct {
	Kind        ScopeKind `json:"kind" enum:"plant,environment,service"`
	Environment string    `json:"environment,omitempty"`
	Service     string    `json:"service,omitempty"`
}

// A Cord is one stop of the line.
type Cord struct {
	ID            string     `json:"id"`
	Scope         Scope      `json:"scope"`
	Owner         string     `json:"owner" doc:"who or what pulled it"`
	Reason        string     `json:"reason"`
	Pulled        time.Time  `json:"pulled"`
	StoppedMS     int64      `json:"stopped_ms" doc:"how long it stopped the line, or has until now"`
	Fix           *Fix       `json:"fix,omitempty" doc:"what releases it by itself"`
	Released      *time.Time `json:"released,omitempty"`
	ReleasedBy    string     `json:"released_by,omitempty"`
	ReleaseReason string     `json:"release_reason,omitempty"`
	FixedBy       int64      `json:"fixed_by,omitempty" doc:"the version that released it"`
	Position      int64      `json:"position,omitempty" doc:"of the pull; the key of pages"`
}

// A Fix says which versions may pass a stopped line: those after a number, up to and through a
// stage. The first to pass the stage releases the cord.
type Fix struct {
	Service string `json:"service"`
	Broken  int64  `json:"broken" doc:"the version that stopped the line"`
	After   int64  `json:"after"`
	Stage   string `json:"stage"`
	Author  string `json:"author,omitempty" doc:"who made the broken version; left out: it is not known any more"`
}
