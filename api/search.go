package api

// A Search is what a text names.
type Search struct {
	Query string      `json:"query"`
	Found []Found     `json:"found" doc:"at most ten of each kind: the exact ones first, then the newest"`
	More  []FoundKind `json:"more" doc:"the kinds of which there are more"`
}

// A FoundKind says by what something was found.
type FoundKind string

// A Found is one thing that a search found.
type Found struct {
	Kind       FoundKind   `json:"kind" enum:"version,deployment,service,commit,artifact,ticket,person,message"`
	Exact      bool        `json:"exact" doc:"it is what was asked for, and not only like it"`
	Service    string      `json:"service"`
	Version    *Version    `json:"version,omitempty"`
	Deployment *Deployment `json:"deployment,omitempty"`
}
