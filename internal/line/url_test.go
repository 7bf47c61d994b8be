package line

import (
	"slices"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
)

func TestURLs_AreThoseOfAnEdgeThatIsThere(t *testing.T) {
	far, near := Agent{Proxy: "https://10.0.0.7:8443"}, Agent{Proxy: "http://127.0.0.1:8601"}
	away, old := Agent{Proxy: "https://10.0.0.9:9443", Lost: true}, Agent{}
	for name, c := range map[string]struct {
		agents map[andon.AgentName]*Agent
		edges  []andon.AgentName
		want   string
	}{
		"the only one":              {map[andon.AgentName]*Agent{"a": &far}, []andon.AgentName{"a"}, "https://shop.example:8443"},
		"the first":                 {map[andon.AgentName]*Agent{"a": &near, "b": &far}, []andon.AgentName{"a", "b"}, "http://shop.example:8601"},
		"one that is not away":      {map[andon.AgentName]*Agent{"a": &away, "b": &far}, []andon.AgentName{"a", "b"}, "https://shop.example:8443"},
		"one that is away":          {map[andon.AgentName]*Agent{"a": &old, "b": &away}, []andon.AgentName{"a", "b"}, "https://shop.example:9443"},
		"one that does not say":     {map[andon.AgentName]*Agent{"a": &old}, []andon.AgentName{"a"}, "http://shop.example"},
		"the usual port":            {map[andon.AgentName]*Agent{"a": {Proxy: "http://10.0.0.7:80"}}, []andon.AgentName{"a"}, "http://shop.example"},
		"the usual port of HTTPS":   {map[andon.AgentName]*Agent{"a": {Proxy: "https://[::]:443"}}, []andon.AgentName{"a"}, "https://shop.example"},
		"of who has copies":         {map[andon.AgentName]*Agent{"a": &near, "b": &far}, nil, "https://shop.example:8443"},
		"of nobody that is known":   {nil, []andon.AgentName{"a"}, "http://shop.example"},
		"HTTPS at the port of HTTP": {map[andon.AgentName]*Agent{"a": {Proxy: "https://10.0.0.7:80"}}, []andon.AgentName{"a"}, "https://shop.example:80"},
	} {
		p := &Place{Desired: andon.Desired{
			Copies: []andon.Copy{{Agent: "b"}},
			Route:  &andon.Route{Hosts: []string{"shop.example"}, Edges: c.edges},
		}}
		if got := (&State{Agents: c.agents}).URLs(p); !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s: %q, want %s", name, got, c.want)
		}
	}
}

func TestConnect_RefusesAProxyThatIsNone(t *testing.T) {
	p := newPlant(t)
	for _, address := range []string{"127.0.0.1:8601", "http://127.0.0.1", "javascript://x:1", "http://u:p@x:1", "http://x:1/", "http://x:1?a", "http://x:port"} {
		p.refused(andon.KindInvalid, ConnectAgent{Hello: andon.Hello{Agent: "local", Proxy: address}})
	}
}
