package andon

import "time"

// A Strategy says how a new group takes the traffic over.
type Strategy string

// The strategies.
const (
	Rolling   Strategy = "rolling"    // a few copies at a time
	BlueGreen Strategy = "blue-green" // the whole new group, then one switch
	Canary    Strategy = "canary"     // the whole new group, then more and more of the requests
	Replace   Strategy = "replace"    // as blue-green, on new hosts: no host is ever changed
)

// Strategies lists every strategy.
func Strategies() []Strategy { return []Strategy{Rolling, BlueGreen, Canary, Replace} }

// A Rollout is a strategy with its numbers: how deployments to one environment take traffic over.
type Rollout struct {
	Strategy Strategy `json:"strategy"`
	// MaxUnavailable is how many copies fewer than the release wants may have traffic while a
	// rolling deployment goes on; MaxSurge how many copies more may exist. Both zero: one more.
	MaxUnavailable int `json:"max_unavailable,omitempty"`
	MaxSurge       int `json:"max_surge,omitempty"`
	// Canary is the way of a canary's share of the requests, in rising order; after the last
	// step it gets all of them.
	Canary []CanaryStep `json:"canary,omitempty"`
	// Soak is how long all must stay well after the last switch.
	Soak time.Duration `json:"soak_ns"`
	// Warm is how long the old group is kept, without traffic, after a deployment succeeded by
	// one switch, so that going back needs no start.
	Warm time.Duration `json:"warm_ns,omitempty"`
	// Watch compares the new group with the old one while both have traffic, and while the new
	// one soaks; nil: only health is watched.
	Watch *Watch `json:"watch,omitempty"`
}

// A CanaryStep is a share of the requests that the new group gets for some time.
type CanaryStep struct {
	Weight int           `json:"weight"` // percent, 1 to 99
	Pause  time.Duration `json:"pause_ns"`
}

// A Watch says which difference from the old group, as the proxies count it, fails a deployment.
type Watch struct {
	// Errors is how much higher the new group's share of answers with status 5xx and of failed
	// requests may be, in percentage points, before a significant difference counts.
	Errors float64 `json:"errors"`
	// Latency is how many times slower a request in the 95th percentile may be; 0: not compared.
	Latency float64 `json:"latency,omitempty"`
	// Least is how many requests the new group must have had before it is judged.
	Least int64 `json:"least"`
}
