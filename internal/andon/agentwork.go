package andon

// The words between an agent and the server. Agents call; the server never does.

// A Hello is what an agent says when it connects.
type Hello struct {
	Agent AgentName `json:"agent"`
	// Slots is how many jobs the agent runs at once. One with none has only those that must run
	// beside its copies, one at a time.
	Slots  int               `json:"slots"`
	Labels map[string]string `json:"labels,omitempty"`
	Build  string            `json:"build"`
	// Protocol is the number of what the agent speaks. 0, from before it was said: 1.
	Protocol int `json:"protocol,omitempty"`
	// Platforms are what the agent can run copies on; none: PlatformProcess alone.
	Platforms []string `json:"platforms,omitempty"`
	// Address is where the copies of this host are reached from others.
	Address string `json:"address,omitempty"`
	// Proxy is where its proxy answers; what people type has the host names of routes instead of
	// its own: "https://10.0.0.7:443".
	Proxy string `json:"proxy,omitempty"`
	// MostTargets is how many copies its proxy has in one route at most; 0: it takes any number.
	MostTargets int `json:"most_targets,omitempty"`
}

// Room returns how many of the jobs that must run on an agent with so many slots it runs at once.
func Room(slots int) int { return max(1, slots) }

// Protocol is the number of the words between agents and server. Fields are only ever added, and
// both sides pass over what they do not know, so a number differs only when something of an
// older release would be misunderstood. OldestProtocol is the oldest that is still understood.
const (
	Protocol       = 2
	OldestProtocol = 1
)

// A Welcome is the answer to a Hello.
type Welcome struct {
	Plant string `json:"plant"`
	Epoch int64  `json:"epoch"` // of this connection; goes with everything that the agent says
	// HeartbeatMS is how often, at least, the agent must ask for work to count as there.
	HeartbeatMS int64 `json:"heartbeat_ms"`
	// Protocol is the number of what the server speaks. 0, from before it was said: 1.
	Protocol int `json:"protocol,omitempty"`
}

// A WorkRequest asks for work newer than what the agent has. It is the agent's heartbeat too.
type WorkRequest struct {
	Epoch    int64 `json:"epoch"`
	Revision int64 `json:"revision"` // of the newest Work that the agent has; 0: none
}

// Work is everything that an agent should do: complete, never a difference.
type Work struct {
	Revision int64     `json:"revision"` // grows whenever the content changes
	Leases   []Lease   `json:"leases"`   // tasks that are this agent's now
	Desired  []Desired `json:"desired"`  // places that have, or had, copies or routes on this host
	// Addresses is where copies on other hosts listen, of the places that this agent is an edge of.
	Addresses map[InstanceID]string `json:"addresses,omitempty"`
}

// A TaskReport tells the server how a leased task ended. The agent repeats it until it is
// acknowledged; the server accepts each token once.
type TaskReport struct {
	Epoch  int64      `json:"epoch"`
	Task   TaskID     `json:"task"`
	Token  Token      `json:"token"`
	Result TaskResult `json:"result"`
}

// Counters are the running ledgers of an agent's proxy. They are shown, never journalled.
type Counters struct {
	Epoch  int64         `json:"epoch"`
	Places []PlaceLedger `json:"places"`
}

// A PlaceLedger is the running ledgers of one place, newest deployment last.
type PlaceLedger struct {
	Place
	Ledgers []Ledger     `json:"ledgers"`
	Groups  []GroupStats `json:"groups,omitempty"` // of the same deployments
}

// A JoinRequest lets a host join the plant: it proves by the secret of its token that the plant
// wants it, and gets a certificate for its key.
type JoinRequest struct {
	Agent   AgentName `json:"agent"`
	Secret  string    `json:"secret"`
	Request []byte    `json:"request"` // for a certificate: PKCS #10, PEM
}

// A RenewRequest asks for the next certificate of an agent's key.
type RenewRequest struct {
	Request []byte `json:"request"` // PKCS #10, PEM
}

// A SignedAgent is the answer to both.
type SignedAgent struct {
	Certificate []byte `json:"certificate"` // PEM
	Roots       []byte `json:"roots"`       // by which the agent knows the server; PEM
}
