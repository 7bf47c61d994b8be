package andon

import "time"

// HostAdded says that a host may join the plant once, with a token of which this is the hash.
type HostAdded struct {
	Host AgentName `json:"host"` // the name of its agent
	// Labels are what the plant says of the host, besides what its agent says of itself.
	Labels    map[string]string `json:"labels,omitempty"`
	TokenHash string            `json:"token_hash"`
	Expires   time.Time         `json:"expires"` // of the token
}

// HostJoined says that a host came with its token, and which key it proves who it is by.
type HostJoined struct {
	Host AgentName `json:"host"`
	Key  string    `json:"key"` // the hash of the public key
}

// HostRemoved says that a host does not belong to the plant any more: nobody who comes in its
// name is let in.
type HostRemoved struct {
	Host   AgentName `json:"host"`
	Reason string    `json:"reason,omitempty"`
}

// EventName names the event.
func (HostAdded) EventName() string { return "host_added" }

// EventName names the event.
func (HostJoined) EventName() string { return "host_joined" }

// EventName names the event.
func (HostRemoved) EventName() string { return "host_removed" }
