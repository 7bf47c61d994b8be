package andon

import (
	"maps"
	"slices"
)

// A Selector chooses agents: those that it names, or those that have all of its labels. With
// both, an agent must be named and have the labels. The zero Selector chooses nobody by itself:
// what applies then, its owner says.
type Selector struct {
	Agents []AgentName       `json:"agents,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
}

// IsZero reports whether the selector says nothing.
func (s Selector) IsZero() bool { return len(s.Agents) == 0 && len(s.Labels) == 0 }

// Selects reports whether an agent with these labels is chosen.
func (s Selector) Selects(name AgentName, labels map[string]string) bool {
	if s.IsZero() || len(s.Agents) > 0 && !slices.Contains(s.Agents, name) {
		return false
	}
	for key, want := range s.Labels {
		if have, ok := labels[key]; !ok || have != want {
			return false
		}
	}
	return true
}

// Equal reports whether two selectors say the same.
func (s Selector) Equal(o Selector) bool {
	return slices.Equal(s.Agents, o.Agents) && maps.Equal(s.Labels, o.Labels)
}

// The labels by which agents are chosen where an environment chooses none.
const (
	LabelEnvironment = "environment" // its value names the environment whose copies the host gets
	LabelRole        = "role"
	RoleEdge         = "edge" // of LabelRole: the host's proxy answers for the services
)

// The platforms. PlatformProcess is the one of environments that name none, and of agents of
// before agents said which they have.
const (
	PlatformProcess = "process"
	PlatformDocker  = "docker"
)
