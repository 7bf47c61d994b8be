package estate

import (
	"maps"
	"slices"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/form"
)

// defaultRoute is the route of an environment that says none.
func defaultRoute(name andon.EnvironmentName) string {
	if name == "production" {
		return andon.ServiceInHost + ".localhost"
	}
	return andon.ServiceInHost + "." + string(name) + ".localhost"
}

// buildRoutes returns the host names of an environment: that of every service, further ones, and
// those of services that have their own.
func buildRoutes(name andon.EnvironmentName, root *form.Node) (host string, aliases []string, own map[andon.ServiceName][]string) {
	host = defaultRoute(name)
	if all := root.Get("route").Strs(); len(all) > 0 {
		host = all[0]
		aliases = append(aliases, all[1:]...)
	}
	for _, service := range root.Get("routes").All() {
		if own == nil {
			own = map[andon.ServiceName][]string{}
		}
		own[andon.ServiceName(service.Key)] = service.Value.Strs()
	}
	return host, aliases, own
}

// A claim is a host name, or a pattern of them, that a file gives to something.
type claim struct {
	place andon.Place // without a service: every service of the environment
	file  string
}

// checkRoutes finds host names that several environments or services would have, as far as the
// files alone say it. What depends on which services there are, the line checks.
func checkRoutes(readings []reading) {
	if slices.ContainsFunc(readings, func(r reading) bool { return !r.found.None() }) {
		return
	}
	claims := map[string]claim{}
	for _, r := range readings {
		for _, node := range texts(r.root.Get("route")) {
			take(claims, r, node.Str(), "", node.At)
		}
		if r.root.Get("route") == nil {
			take(claims, r, r.environment.Hosts, "", r.root.At)
		}
		for _, service := range r.root.Get("routes").All() {
			for _, node := range texts(service.Value) {
				take(claims, r, node.Str(), andon.ServiceName(service.Key), node.At)
			}
		}
	}
	for _, service := range named(readings) {
		checkService(claims, readings, service)
	}
}

// take gives a host name to a place, or finds the problem that another has it.
func take(claims map[string]claim, r reading, host string, service andon.ServiceName, at form.Position) {
	mine := claim{place: andon.Place{Service: service, Environment: r.environment.Name}, file: r.file}
	has, taken := claims[host]
	switch {
	case !taken:
		claims[host] = mine
	case has.place == mine.place:
		r.found.Add(at, "write it once", "the route %s is written twice", host)
	case has.place.Service == "":
		r.found.Add(at, "give each environment a route of its own", "the route %s is that of %s too", host, has.file)
	default:
		r.found.Add(at, "give each service host names of its own", "the route %s is that of %s in %s too", host, has.place.Service, has.file)
	}
}

// named returns the services that have routes of their own somewhere.
func named(readings []reading) []andon.ServiceName {
	names := map[andon.ServiceName]bool{}
	for _, r := range readings {
		for service := range r.environment.Routes {
			names[service] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// checkService finds where the route of every service, made that of one whose own routes are
// written in another environment, is taken.
func checkService(claims map[string]claim, readings []reading, service andon.ServiceName) {
	for _, r := range readings {
		if len(r.environment.Routes[service]) > 0 {
			continue // those are claims already
		}
		place := andon.Place{Service: service, Environment: r.environment.Name}
		for _, host := range r.environment.RouteHosts(service) {
			has, taken := claims[host]
			if taken && has.place != place {
				r.found.Add(routeAt(r.root), "give "+string(service)+" other host names in routes of one of the two",
					"the route of %s would be %s, which is that of %s in %s too", service, host, has.place.Service, has.file)
				continue
			}
			claims[host] = claim{place: place, file: r.file}
		}
	}
}

// routeAt returns where the route of every service is written, or would be.
func routeAt(root *form.Node) form.Position {
	if route := root.Get("route"); route != nil {
		return route.At
	}
	return root.At
}

// texts returns the nodes of the texts of a list, or the one of a scalar.
func texts(n *form.Node) []*form.Node {
	if n.Scalar() {
		return []*form.Node{n}
	}
	return n.List()
}
