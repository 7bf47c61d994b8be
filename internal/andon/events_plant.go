package andon

// PlantCreated is the first event of every journal.
type PlantCreated struct {
	Plant string `json:"plant"` // a random ID
}

// EnvironmentDeclared adds an environment, or changes what the one of that name is.
type EnvironmentDeclared struct {
	Environment Environment `json:"environment"`
}

// ServiceAdded makes a service known.
type ServiceAdded struct {
	Service ServiceName `json:"service"`
	Source  Source      `json:"source"`
}

// A Source is where a service's commits come from.
type Source struct {
	URL   string `json:"url,omitempty"` // empty: the built-in git. Never holds credentials.
	Trunk string `json:"trunk"`         // the branch whose commits go to production: "main"
}

// ServiceRemoved takes a service out of the plant: its copies stop, its items end.
type ServiceRemoved struct {
	Service ServiceName `json:"service"`
	Reason  string      `json:"reason,omitempty"`
}

// AgentConnected says that an agent is there and what it can do. A new connection of the same
// agent replaces the old one.
type AgentConnected struct {
	Agent  AgentName         `json:"agent"`
	Epoch  int64             `json:"epoch"` // grows with each connection of the agent
	Slots  int               `json:"slots"` // how many jobs it runs at once
	Labels map[string]string `json:"labels,omitempty"`
	// Build is the version of the andon binary that the agent runs.
	Build     string   `json:"build,omitempty"`
	Protocol  int      `json:"protocol,omitempty"`
	Platforms []string `json:"platforms,omitempty"` // none: PlatformProcess alone
	Address   string   `json:"address,omitempty"`   // where its copies are reached from other hosts
	Proxy     string   `json:"proxy,omitempty"`     // where its proxy answers, as in a Hello
	// MostTargets is how many copies its proxy has in one route at most; 0: any number.
	MostTargets int `json:"most_targets,omitempty"`
}

// AgentLost says that an agent has not been heard of for too long. Its copies keep running.
type AgentLost struct {
	Agent  AgentName `json:"agent"`
	Reason string    `json:"reason"`
}

// Observed records what an agent attested. Only changes are recorded.
type Observed struct {
	Observation Observation `json:"observation"`
}

// EventName names the event.
func (PlantCreated) EventName() string { return "plant_created" }

// EventName names the event.
func (EnvironmentDeclared) EventName() string { return "environment_declared" }

// EventName names the event.
func (ServiceAdded) EventName() string { return "service_added" }

// EventName names the event.
func (ServiceRemoved) EventName() string { return "service_removed" }

// EventName names the event.
func (AgentConnected) EventName() string { return "agent_connected" }

// EventName names the event.
func (AgentLost) EventName() string { return "agent_lost" }

// EventName names the event.
func (Observed) EventName() string { return "observed" }
