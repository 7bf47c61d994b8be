package andon

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"time"
)

// A RunSpec is a Run resolved for one environment: everything that a copy is started
// with except what is the copy's own (its port and its ID). It is the configuration
// snapshot that a rollback restores.
type RunSpec struct {
	Command   []string          `json:"command"`
	Port      int               `json:"port,omitempty"`
	Env       map[string]string `json:"env,omitempty"`
	Health    Health            `json:"health"`
	Instances int               `json:"instances"`
	Drain     time.Duration     `json:"drain_ns"`
	Stop      time.Duration     `json:"stop_ns"`
	Requests  Requests          `json:"requests,omitzero"`
	Limits    Limits            `json:"limits,omitzero"` // of the environment
	// Platform is what runs the copies: the environment's; empty: PlatformProcess.
	Platform string `json:"platform,omitempty"`
}

// Limits bound what one copy may take of its host. Zero is no limit.
type Limits struct {
	Memory    int64 `json:"memory_bytes,omitzero"`
	CPU       int   `json:"cpu_millicores,omitzero"` // 1000 is one core
	Processes int   `json:"processes,omitzero"`      // threads count
}

// RunSpecFor resolves what a copy of the pipeline's service is in an environment.
// It returns false when the service declares nothing to run.
func (p *Pipeline) RunSpecFor(env EnvironmentName) (RunSpec, bool) {
	if p.Run == nil {
		return RunSpec{}, false
	}
	r := p.Run
	spec := RunSpec{
		Command: r.Command, Port: r.Port, Health: r.Health,
		Instances: r.Instances, Drain: r.Drain, Stop: r.Stop, Requests: r.Requests,
	}
	if len(r.Env) > 0 {
		spec.Env = maps.Clone(r.Env)
	}
	over := p.Environments[env]
	if over.Instances > 0 {
		spec.Instances = over.Instances
	}
	for k, v := range over.Env {
		if spec.Env == nil {
			spec.Env = make(map[string]string, len(over.Env))
		}
		spec.Env[k] = v
	}
	return spec, true
}

// Hash returns the hash of the specification's canonical JSON (Go's encoding sorts map keys).
func (s RunSpec) Hash() ConfigHash {
	b, err := json.Marshal(s)
	if err != nil {
		panic("andon: a RunSpec has only fields that encode: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return ConfigHash("sha256:" + hex.EncodeToString(sum[:]))
}
