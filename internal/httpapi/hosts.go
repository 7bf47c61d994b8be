package httpapi

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/ca"
	"github.com/andon-cd/andon/internal/line"
)

// tokenLife is how long a host may take to join.
const tokenLife = time.Hour

func (a *API) listHosts(ctx context.Context, _ *none) ([]api.Host, error) {
	out := []api.Host{}
	err := a.Engine.View(ctx, func(s *line.State) {
		names := map[andon.AgentName]bool{}
		for name := range s.Agents {
			names[name] = true
		}
		for name, h := range s.Hosts {
			names[name] = !h.Removed
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if names[name] {
				out = append(out, wireHost(s, name))
			}
		}
	})
	return out, err
}

func wireHost(s *line.State, name andon.AgentName) api.Host {
	out := api.Host{Name: string(name), Copies: s.CopiesOn(name)}
	if h := s.Hosts[name]; h != nil {
		out.State, out.Since, out.Labels = api.HostInvited, h.Added.UTC(), h.Labels
		if h.Key == "" {
			out.Expires = instantOf(h.Expires)
		} else {
			out.Joined = instantOf(h.Joined)
		}
	}
	if a := s.Agents[name]; a != nil {
		out.State, out.Since, out.Reason = api.HostConnected, a.Since.UTC(), a.Reason
		if a.Lost {
			out.State = api.HostAway
		}
		out.Labels, out.Platforms, out.Address, out.Build, out.Protocol = a.Labels, a.Platforms, a.Address, a.Build, cmp.Or(a.Protocol, 1)
	}
	return out
}

func instantOf(t time.Time) *time.Time {
	t = t.UTC()
	return &t
}

type addHostCommand struct{ Body api.AddHost }

func (a *API) addHost(ctx context.Context, c *addHostCommand) (api.AddedHost, error) {
	if a.Authority == nil {
		return api.AddedHost{}, andon.Errorf(andon.KindRefused, "this plant lets no hosts in")
	}
	server := c.Body.Server
	if server == "" {
		server = "https://" + strings.TrimPrefix(a.Address(), "http://")
	}
	server = strings.TrimRight(server, "/")
	if !ca.ValidServer(server) {
		return api.AddedHost{}, andon.Errorf(andon.KindInvalid, "%.100q is not an address at which a host reaches the plant", server).
			WithHint("write it as https://HOST:PORT")
	}
	token := a.Authority.NewToken(andon.AgentName(c.Body.Host), server)
	expires := a.Engine.Now().Add(tokenLife)
	_, err := a.do(ctx, line.AddHost{
		Host: token.Agent, Labels: c.Body.Labels, TokenHash: ca.HashSecret(token.Secret), Expires: expires,
	})
	if err != nil {
		return api.AddedHost{}, err
	}
	return api.AddedHost{Host: c.Body.Host, Token: token.String(), Expires: expires.UTC(), Server: server}, nil
}

type removeHostCommand struct {
	Host   string `path:"host"`
	Force  bool   `query:"force" doc:"also while copies should run there"`
	Reason string `query:"reason"`
}

func (a *API) removeHost(ctx context.Context, c *removeHostCommand) (api.Done, error) {
	return a.do(ctx, line.RemoveHost{Host: andon.AgentName(c.Host), Force: c.Force, Reason: c.Reason})
}
