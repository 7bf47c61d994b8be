package line

import (
	"crypto/subtle"
	"fmt"
	"maps"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A Host is one that was added to the plant: whoever comes in its name must prove it by a key.
type Host struct {
	Name      andon.AgentName   `json:"name"`
	Added     time.Time         `json:"added"`
	Labels    map[string]string `json:"labels,omitempty"`
	TokenHash string            `json:"token_hash,omitempty"`
	Expires   time.Time         `json:"expires,omitzero"`  // of the token
	Key       string            `json:"key,omitempty"`     // that it joined with; empty: it has not joined
	Joined    time.Time         `json:"joined,omitzero"`   // when it did
	Removed   bool              `json:"removed,omitempty"` // nobody is let in by this name
}

func (c AddHost) decide(d *decision) error {
	if !andon.ValidName(string(c.Host)) {
		return andon.Errorf(andon.KindInvalid, "%.100q cannot name a host", c.Host).WithHint(andon.NameRule)
	}
	if c.Host == localAgent {
		return andon.Errorf(andon.KindInvalid, "%s is the agent in the server's own process", c.Host).WithHint("give the host another name")
	}
	if c.TokenHash == "" || !c.Expires.After(d.now) {
		return andon.Errorf(andon.KindInvalid, "the token of a host must be valid for some time")
	}
	if h := d.s.Hosts[c.Host]; h != nil && !h.Removed && h.Key != "" {
		return andon.Errorf(andon.KindConflict, "host %s has joined already", c.Host).
			WithHint("give the new host another name; or remove the old one first: andon host remove %s", c.Host)
	}
	if a := d.s.Agents[c.Host]; a != nil && !a.Lost {
		return andon.Errorf(andon.KindConflict, "an agent %s is connected already", c.Host).WithHint("give the host another name")
	}
	d.emit(andon.HostAdded{Host: c.Host, Labels: c.Labels, TokenHash: c.TokenHash, Expires: c.Expires})
	return nil
}

// decide lets a host in that comes with its token. A host that did not hear the answer comes again
// with the same key, until the token ends.
func (c JoinHost) decide(d *decision) error {
	h := d.s.Hosts[c.Host]
	known := ""
	if h != nil && !h.Removed {
		known = h.TokenHash
	}
	if subtle.ConstantTimeCompare([]byte(known), []byte(c.TokenHash)) != 1 || known == "" {
		return andon.Errorf(andon.KindRefused, "the token does not let host %.50s in", c.Host).
			WithHint("on the server's machine, `andon host add %.50s` prints a new one", c.Host)
	}
	switch {
	case !h.Expires.After(d.now):
		return andon.Errorf(andon.KindRefused, "the token of host %s was valid until %s", c.Host, h.Expires.Format(time.RFC3339)).
			WithHint("on the server's machine, `andon host add %s` prints a new one", c.Host)
	case h.Key == c.Key:
		return nil
	case h.Key != "":
		return andon.Errorf(andon.KindRefused, "the token of host %s was used already", c.Host).
			WithHint("if that was not you, remove the host at once: andon host remove %s", c.Host)
	}
	d.emit(andon.HostJoined{Host: c.Host, Key: c.Key})
	return nil
}

func (c RemoveHost) decide(d *decision) error {
	a, h := d.s.Agents[c.Host], d.s.Hosts[c.Host]
	switch {
	case c.Host == localAgent:
		return andon.Errorf(andon.KindInvalid, "%s is the agent in the server's own process: it stays", c.Host)
	case a == nil && h == nil, h != nil && h.Removed:
		return andon.Errorf(andon.KindNotFound, "there is no host %.100s", c.Host).WithHint("`andon host` lists the hosts")
	}
	if n, place := d.s.copiesOn(c.Host); n > 0 && !c.Force {
		return andon.Errorf(andon.KindConflict, "host %s has %d copies, of %s among others", c.Host, n, place).
			WithHint("deploy elsewhere first; or remove it all the same, with --force: the copies that it has go on until somebody ends them")
	}
	if a != nil && !a.Lost {
		reason := "it was removed from the plant"
		d.emit(andon.AgentLost{Agent: c.Host, Reason: reason})
		for _, id := range sorted(a.leases) {
			t := d.s.Tasks[id]
			d.emit(d.s.taskLost(t, lostResult(fmt.Sprintf("agent %s is away: %s", c.Host, reason), t.Leased, d.now)))
		}
	}
	d.emit(andon.HostRemoved{Host: c.Host, Reason: c.Reason})
	return nil
}

// CopiesOn returns how many copies a host should have.
func (s *State) CopiesOn(name andon.AgentName) int {
	n, _ := s.copiesOn(name)
	return n
}

// copiesOn returns how many copies a host should have, and a place of one of them.
func (s *State) copiesOn(name andon.AgentName) (n int, place andon.Place) {
	for _, p := range s.Places {
		for i := range p.Desired.Copies {
			if p.Desired.Copies[i].Agent == name {
				n, place = n+1, p.Place
			}
		}
	}
	return n, place
}

func (s *State) applyHostAdded(b andon.HostAdded, at time.Time) {
	s.Hosts[b.Host] = &Host{Name: b.Host, Added: at, Labels: b.Labels, TokenHash: b.TokenHash, Expires: b.Expires}
}

func (s *State) applyHostJoined(b andon.HostJoined, at time.Time) {
	if h := s.Hosts[b.Host]; h != nil {
		h.Key, h.Joined = b.Key, at
	}
}

func (s *State) applyHostRemoved(b andon.HostRemoved) {
	s.Hosts[b.Host] = &Host{Name: b.Host, Removed: true}
	s.markAll()
}

// removed reports whether a host does not belong to the plant any more.
func (s *State) removed(name andon.AgentName) bool {
	h := s.Hosts[name]
	return h != nil && h.Removed
}

// labelled returns the labels of an agent: what it says of itself, and what the plant says of it,
// which comes first.
func (s *State) labelled(name andon.AgentName, own map[string]string) map[string]string {
	h := s.Hosts[name]
	if h == nil || len(h.Labels) == 0 {
		return own
	}
	all := maps.Clone(h.Labels)
	for key, value := range own {
		if _, said := all[key]; !said {
			all[key] = value
		}
	}
	return all
}

// Admission says by which key an agent proves who it is. A name that no host was added by needs
// none: its token is enough.
func (s *State) Admission(name andon.AgentName) (key string, known, removed bool) {
	h := s.Hosts[name]
	if h == nil {
		return "", false, false
	}
	return h.Key, true, h.Removed
}
