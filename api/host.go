package api

import (
	"context"
	"net/http"
	"time"
)

// A Host is one on which copies run, or may join to.
type Host struct {
	Name      string            `json:"name"`
	State     HostState         `json:"state" enum:"connected,away,invited"`
	Since     time.Time         `json:"since" doc:"of the state"`
	Reason    string            `json:"reason,omitempty" doc:"why it is away"`
	Joined    *time.Time        `json:"joined,omitempty" doc:"with a token of its own; left out: it did not"`
	Expires   *time.Time        `json:"expires,omitempty" doc:"of the token, while the host is invited"`
	Labels    map[string]string `json:"labels,omitempty"`
	Platforms []string          `json:"platforms,omitempty" doc:"that it runs copies on; left out: process alone"`
	Address   string            `json:"address,omitempty" doc:"where its copies are reached from other hosts"`
	Build     string            `json:"build,omitempty" doc:"the version of andon that it runs"`
	Protocol  int               `json:"protocol,omitempty" doc:"the number of what its agent speaks; the server may speak another"`
	Copies    int               `json:"copies" doc:"that should run there"`
}

// A HostState says how a host does.
type HostState string

// The states of hosts.
const (
	HostConnected HostState = "connected"
	HostAway      HostState = "away"
	HostInvited   HostState = "invited" // its token was made, and it has not come yet
)

// AddHost asks for the token of a host.
type AddHost struct {
	Host   string            `json:"host" doc:"its name in the plant"`
	Labels map[string]string `json:"labels,omitempty" doc:"what environments choose it by, besides what its agent says of itself"`
	Server string            `json:"server,omitempty" doc:"https address at which the host reaches the plant; left out: the plant's own"`
}

// AddedHost is what a host joins with.
type AddedHost struct {
	Host    string    `json:"host"`
	Token   string    `json:"token" doc:"valid once"`
	Expires time.Time `json:"expires"`
	Server  string    `json:"server" doc:"where the host will look for the plant"`
}

// Hosts lists the hosts.
func (c *Client) Hosts(ctx context.Context) (h []Host, err error) {
	return h, c.get(ctx, path("hosts"), nil, &h)
}

// AddHost returns the token with which a host joins, once.
func (c *Client) AddHost(ctx context.Context, a AddHost) (h AddedHost, err error) {
	return h, c.post(ctx, path("hosts"), a, &h)
}

// RemoveHost takes a host out of the plant; with force also while copies should run there.
func (c *Client) RemoveHost(ctx context.Context, host string, force bool, reason string) (d Done, err error) {
	q := values{}.flag("force", force).text("reason", reason)
	return d, c.do(ctx, http.MethodDelete, path("hosts", host), q.Values(), nil, &d)
}
