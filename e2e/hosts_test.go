package e2e

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/andon-cd/andon/api"
)

// hostNamed returns what the plant says of a host; false: it says nothing.
func (p *plant) hostNamed(name string) (api.Host, bool) {
	p.T.Helper()
	hosts, err := p.Client.Hosts(p.T.Context())
	if err != nil {
		p.T.Fatal(err)
	}
	i := slices.IndexFunc(hosts, func(h api.Host) bool { return h.Name == name })
	if i < 0 {
		return api.Host{}, false
	}
	return hosts[i], true
}

// TestHosts_JoinOnceByATokenAndComeBackByTheirKeys lets two hosts join by the printed command, with
// nothing of the plant but that. Commits, artifacts and logs go their way as well: on one of them
// jobs run, too, because it was said; on the other nothing is built.
func TestHosts_JoinOnceByATokenAndComeBackByTheirKeys(t *testing.T) {
	t.Parallel()
	p := startPlant(t, "--slots", "1")
	labels := []string{"environment=production", "environment.test=yes"}
	one, two := p.inviteHost("web1", station{}, labels...), p.inviteHost("web2", station{}, labels...)
	one.options = []string{"--slots", "2"}
	if h, _ := p.hostNamed("web1"); h.State != api.HostInvited || h.Expires == nil || h.Joined != nil {
		t.Errorf("before it comes, web1 is %+v", h)
	}
	one.start()
	two.start()
	for _, name := range []string{"web1", "web2"} {
		if h, _ := p.hostNamed(name); h.State != api.HostConnected || h.Joined == nil || h.Labels["environment"] != "production" {
			t.Errorf("%s is %+v", name, h)
		}
	}
	shop := p.newShop("instances: 2", "instances: 2")
	shop.ShipFirst()
	for name, slots := range map[string]int{"local": 1, "web1": 2, "web2": 0} {
		if a, err := p.agentNamed(name); err != nil || a.Slots != slots {
			t.Errorf("%s has %d slots, want %d: %v", name, a.Slots, slots, err)
		}
	}
	if commit := p.version("shop", 1).Stages[0]; len(commit.Tasks) == 0 || commit.Tasks[0].Attempts[0].Agent != "web1" {
		t.Errorf("the commit stage did not run on web1, which has the most slots: %+v", commit.Tasks)
	}
	if here, there := len(one.copies("production")), len(two.copies("production")); here != 1 || there != 1 {
		t.Errorf("%d copies run on web1 and %d on web2", here, there)
	}
	_, port, _ := net.SplitHostPort(one.proxy)
	if urls := p.place("shop", "production").URLs; len(urls) != 1 || urls[0] != "http://shop.localhost:"+port {
		t.Errorf("production is said to answer at %v, and does so at the proxy of web1, %s", urls, one.proxy)
	}
	if h, _ := p.hostNamed("web1"); h.Copies != 1 {
		t.Errorf("web1 should have %d copies", h.Copies)
	}

	// The same token again, from somebody who has read it.
	thief := p.newStranger(one.joining)
	thief.Wants(t, refused, "andon agent with a token that was used").Says(t, "used already")

	// After a restart it needs no token: it has its key.
	one.kill()
	one.joining = ""
	one.start()
	version := shop.Ship("after a restart of an agent", files{"files/answer.txt": "hello again\n"})
	if live := p.live("shop", "production"); live != version {
		t.Errorf("version %d is live, not %d", live, version)
	}
	for _, h := range []*host{one, two} {
		h.keepsItsKeyToItself()
	}
}

// newStranger runs an agent elsewhere with a token, and returns how it ended.
func (p *plant) newStranger(token string) result {
	p.T.Helper()
	home := newHome(p.T)
	return execute(p.T, home, environmentIn(home), p.Program, "agent", "--join", token, "--data", filepath.Join(home, "agent"), "--proxy", "127.0.0.1:0")
}

// keepsItsKeyToItself fails the test unless the files of the host's identity are its user's alone,
// and its token and key in no log.
func (h *host) keepsItsKeyToItself() {
	h.t.Helper()
	identity := filepath.Join(h.data, "identity")
	err := filepath.WalkDir(identity, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			h.t.Errorf("%s: %v", path, info.Mode())
		}
		return err
	})
	key, keyErr := os.ReadFile(filepath.Join(identity, "agent.key"))
	log, logErr := os.ReadFile(h.log())
	if err := errors.Join(err, keyErr, logErr); err != nil {
		h.t.Fatal(err)
	}
	if secret := bytes.Split(key, []byte("\n"))[1]; bytes.Contains(log, secret) || bytes.Contains(log, []byte("join.")) {
		h.t.Errorf("the log of %s has its key or its token", h.name)
	}
}

func TestHosts_TokensThatLetNobodyIn(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	invited := p.inviteHost("web1", station{})
	parts := strings.Split(invited.joining, ".")
	with := func(i int, text string) string {
		other := slices.Clone(parts)
		other[i] = text
		return strings.Join(other, ".")
	}
	for what, bad := range map[string]struct {
		token string
		code  int
		says  string
	}{
		"that is none":            {"nonsense", failed, "not a token to join a plant with"},
		"with another secret":     {with(3, strings.Repeat("A", 43)), refused, "does not let host web1 in"},
		"of another host":         {with(1, "web2"), refused, "does not let host web2 in"},
		"of another authority":    {with(4, strings.Repeat("A", 43)), refused, "not the plant that this host knows"},
		"with half of it missing": {strings.Join(parts[:3], "."), failed, "not a token"},
	} {
		p.newStranger(bad.token).Wants(t, bad.code, "andon agent with a token "+what).Says(t, bad.says)
	}
	// None of them used it up; and the plant's own tokens do not make anybody web1 now.
	home := newHome(t)
	token := strings.TrimSpace(p.Andon("agent", "token", "web1").Wants(t, done, "andon agent token").Out)
	execute(t, home, append(environmentIn(home), "ANDON_TOKEN="+token), p.Program,
		"agent", "--server", p.URL, "--name", "web1", "--data", filepath.Join(home, "agent"), "--proxy", "127.0.0.1:0").
		Wants(t, refused, "andon agent in the name of a host that was added")
	invited.start()
	p.Andon("host", "add", "web1").Wants(t, failed, "andon host add of one that joined").Says(t, "has joined already")
	p.Andon("host", "add", "local").Wants(t, failed, "andon host add local")
	p.Andon("host", "add", "Web 1").Wants(t, failed, "andon host add with a bad name")
}

func TestHosts_ThatAreRemovedAreNotLetInAnyMore(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	h := p.inviteHost("web1", station{}, "environment=production")
	h.start()
	shop := p.newShop("instances: 2", "instances: 1")
	shop.ShipFirst()
	p.Andon("host", "remove", "web1").Wants(t, failed, "andon host remove of one with copies").Says(t, "has 1 copies")
	p.Andon("host", "remove", "web1", "--force", "--reason", "it was sold").Wants(t, done, "andon host remove --force")
	if _, there := p.hostNamed("web1"); there {
		t.Error("the removed host is still listed")
	}
	h.joining = ""
	until(t, "the agent is refused", func() error {
		if log, err := os.ReadFile(h.log()); err != nil || !bytes.Contains(log, []byte("does not take this agent any more")) {
			return errors.New("it has not noticed")
		}
		return nil
	})
	// What runs there goes on until somebody ends it.
	if n := len(h.copies("production")); n != 1 {
		t.Errorf("%d copies run on the removed host", n)
	}
	h.kill()
	home := environmentIn(h.home)
	execute(t, h.home, home, p.Program, "agent", "--data", h.data, "--proxy", "127.0.0.1:0").
		Wants(t, refused, "andon agent of a removed host")
	// The name is free for another one.
	again := p.inviteHost("web1", station{})
	again.start()
}
