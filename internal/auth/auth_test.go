package auth

import (
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

func TestKeys_KnowTheTokensThatTheyGave(t *testing.T) {
	k := New("secret", map[andon.AgentName]string{"local": "of the local agent", "empty": ""})
	for token, want := range map[string]Identity{
		"secret":              {Role: Admin},
		"of the local agent":  {Role: Agent, Agent: "local"},
		k.AgentToken("web1"):  {Role: Agent, Agent: "web1"},
		k.AgentToken("web-2"): {Role: Agent, Agent: "web-2"},
		k.ScraperToken():      {Role: Scraper},
	} {
		if got, ok := k.Who(token); !ok || got != want {
			t.Errorf("%q is of %+v, %v", token, got, ok)
		}
	}
}

func TestKeys_KnowNoOtherToken(t *testing.T) {
	k := New("secret", map[andon.AgentName]string{"empty": ""})
	other := New("another secret", nil)
	for _, token := range []string{
		"", "Secret", "secret ", "agent", "agent.", "agent.web1", "agent.web1.", "agent..",
		other.ScraperToken(), "scraper.", k.ScraperToken() + "x", other.AgentToken("web1"), k.AgentToken("web1") + "x", "agent.web2" + k.AgentToken("web1")[len("agent.web1"):],
	} {
		if got, ok := k.Who(token); ok {
			t.Errorf("%q counts as the token of %+v", token, got)
		}
	}
}

func TestSession_EndsInTimeAndWithItsToken(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	k := New("secret", nil)
	value, ends := k.NewSession(now)
	if who, ok := k.Session(value, ends.Add(-time.Second)); !ok || who.Role != Admin {
		t.Error("a session must hold until it ends")
	}
	if _, ok := k.Session(value, ends); ok {
		t.Error("a session outlives its end")
	}
	if _, ok := New("rotated", nil).Session(value, now); ok {
		t.Error("a session outlives the token that it was made with")
	}
	for _, forged := range []string{"", ".", "99999999999." + value[len("1769904000."):], value + "x"} {
		if _, ok := k.Session(forged, now); ok {
			t.Errorf("%q counts as a session", forged)
		}
	}
}
