package line

import (
	"net/url"
	"strings"
)

// URLs returns where people reach what has the route of a place: its host names, at the proxy of
// one of its edges. That is the first that is there, else the first.
func (s *State) URLs(p *Place) []string {
	if p.Desired.Route == nil {
		return nil
	}
	scheme, port := s.entrance(p)
	urls := make([]string, len(p.Desired.Route.Hosts))
	for i, host := range p.Desired.Route.Hosts {
		urls[i] = scheme + "://" + host + port
	}
	return urls
}

// entrance returns the scheme of a place's proxy, and its port with a colon; empty: the usual one.
func (s *State) entrance(p *Place) (scheme, port string) {
	var edge *Agent
	for _, name := range p.Desired.Edges() {
		if a := s.Agents[name]; a != nil && a.Proxy != "" && (edge == nil || edge.Lost && !a.Lost) {
			edge = a
		}
	}
	if edge == nil {
		return "http", ""
	}
	scheme, address, _ := strings.Cut(edge.Proxy, "://")
	port = address[strings.LastIndexByte(address, ':'):]
	if scheme == "http" && port == ":80" || scheme == "https" && port == ":443" {
		return scheme, ""
	}
	return scheme, port
}

// validProxy reports whether an agent's word is the address of a proxy, with its port.
func validProxy(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Port() != "" &&
		address == u.Scheme+"://"+u.Host
}
