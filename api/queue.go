package api

import "time"

// A Queue is everything that does not move.
type Queue struct {
	Position int64   `json:"position"`
	Moving   int     `json:"moving" doc:"how many versions and deployments go on by themselves; they are not listed"`
	Causes   []Cause `json:"causes" doc:"those first that hold something longest"`
}

// A Cause is what things wait for in the end.
type Cause struct {
	Kind   WaitKind  `json:"kind" enum:"agent,lock,cord,approval,task,copies,traffic,drain,soak,stop,deployment"`
	On     string    `json:"on,omitempty" doc:"the cord, the agent, the task … that it is"`
	Reason string    `json:"reason" doc:"one sentence for people"`
	Since  time.Time `json:"since"`
	GoesOn bool      `json:"goes_on" doc:"it is being done, and ends by itself"`
	Who    string    `json:"who,omitempty" doc:"who or what ends it; left out when it ends by itself"`
	Action string    `json:"action,omitempty" doc:"the command that ends it"`
	// Expected is left out where the records do not say.
	Expected *Expected `json:"expected,omitempty"`
	Held     []Wait    `json:"held" doc:"what waits for it, longest first, at most 100"`
	More     int       `json:"more,omitempty" doc:"how many more wait for it"`
}

// An Expected says when something should end, and on what that rests.
type Expected struct {
	At     time.Time `json:"at"`
	TookMS int64     `json:"took_ms,omitempty" doc:"what it usually takes: the middle of the last ones"`
	From   int       `json:"from" doc:"how many of the last ones that is from; 0: its plan says so"`
}
