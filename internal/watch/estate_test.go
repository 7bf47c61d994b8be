package watch_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/secret"
)

// estate commits what production says, beside a test environment, and pushes it to main.
func (c *clone) estate(production string) {
	c.t.Helper()
	dir := filepath.Join(c.dir, "environments")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		c.t.Fatal(err)
	}
	for name, content := range map[string]string{"test": "strategy: rolling\n", "production": production} {
		if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(content), 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	c.push("main", "Say what production is")
}

func (b *bed) follow(url string) {
	b.t.Helper()
	b.plant.Do(line.FollowEstate{Source: andon.Source{URL: url, Trunk: "main"}})
}

// soak returns how long production soaks, and why the newest commit is refused.
func (b *bed) soak() (soak, refused string) {
	b.t.Helper()
	b.plant.View(func(s *line.State) {
		soak = s.Environments["production"].Soak.String()
		if s.Followed != nil && s.Followed.Refused != nil {
			refused = s.Followed.Refused.Problems[0].Error()
		}
	})
	return soak, refused
}

func TestRun_AppliesTheEstateItFollows(t *testing.T) {
	b, c := newBed(t), newClone(t)
	c.estate("soak: 1m\n")
	b.watch(soon)
	b.follow(c.bare)
	b.awaitThat("it is applied", func() bool { soak, _ := b.soak(); return soak == "1m0s" })

	c.estate("sook: 2m\n")
	b.awaitThat("it is refused", func() bool {
		soak, refused := b.soak()
		return soak == "1m0s" && refused == `environments/production.yaml:1:1: unknown key "sook"`
	})
	head := b.plant.Engine.Head()
	b.awaitThat("it is looked at again", func() bool { return b.watcher.Wake(andon.EstateRepository) })
	c.estate("soak: 2m\n")
	b.awaitThat("it is mended", func() bool { soak, refused := b.soak(); return soak == "2m0s" && refused == "" })
	if n := b.plant.Engine.Head() - head; n != 2 { // production declared, the estate applied
		t.Errorf("%d events, where a refusal is said once and a commit applied once", n)
	}
}

func TestRun_AppliesAnEstateOnceTheLineHasNoObjectionAnyMore(t *testing.T) {
	b, c := newBed(t), newClone(t)
	shop := newClone(t)
	shop.push("main", "first")
	b.watch(soon)
	b.add("shop", shop.bare, secret.Credential{})
	c.estate("soak: 1m\nroutes: {cart: shop.test.localhost}\n")
	b.follow(c.bare)
	b.awaitThat("it is refused", func() bool {
		_, refused := b.soak()
		return strings.Contains(refused, "shop.test.localhost would be the route of")
	})
	b.plant.Do(line.RemoveService{Service: "shop", Reason: "over"})
	b.awaitThat("it is applied", func() bool { soak, refused := b.soak(); return soak == "1m0s" && refused == "" })
}

func TestRun_StopsAndChangesWhatItFollows(t *testing.T) {
	b, c, other := newBed(t), newClone(t), newClone(t)
	c.estate("soak: 1m\n")
	other.estate("soak: 3m\n")
	end := b.watch(never)
	b.follow(c.bare)
	b.awaitThat("it is applied", func() bool { soak, _ := b.soak(); return soak == "1m0s" })
	end()
	c.estate("soak: 2m\n")
	b.watch(never) // after a restart
	b.awaitThat("it is applied", func() bool { soak, _ := b.soak(); return soak == "2m0s" })
	b.follow(other.bare)
	b.awaitThat("the other one is applied", func() bool { soak, _ := b.soak(); return soak == "3m0s" })
	b.plant.Do(line.FollowEstate{})
	b.awaitThat("it is not watched", func() bool { return !b.watcher.Wake(andon.EstateRepository) })
	if soak, _ := b.soak(); soak != "3m0s" {
		t.Errorf("production soaks %s", soak)
	}
}

func TestTrouble_SaysWhyTheEstateCannotBeRead(t *testing.T) {
	b, c := newBed(t), newClone(t)
	b.watch(soon)
	b.follow(c.bare)
	b.awaitThat("it is in trouble", func() bool {
		err := b.watcher.Trouble(andon.EstateRepository)
		return err != nil && strings.Contains(err.Error(), "has no branch main")
	})
	c.estate("soak: 1m\n")
	b.awaitThat("it is well", func() bool {
		b.watcher.Wake(andon.EstateRepository)
		return b.watcher.Trouble(andon.EstateRepository) == nil
	})
}

func TestRun_FollowsAPrivateEstateWithItsCredential(t *testing.T) {
	b, c := newBed(t), newClone(t)
	c.estate("soak: 1m\n")
	h := newHost(t, c)
	b.must(b.secrets.Put(andon.EstateRepository, secret.Credential{Token: "wrong"}))
	b.watch(soon)
	b.follow(h.URL + "/shop.git")
	b.awaitThat("it is in trouble", func() bool {
		err := b.watcher.Trouble(andon.EstateRepository)
		return err != nil && strings.Contains(err.Error(), "does not accept the token")
	})
	b.must(b.secrets.Put(andon.EstateRepository, secret.Credential{Token: token}))
	b.awaitThat("it is applied", func() bool {
		b.watcher.Wake(andon.EstateRepository)
		soak, _ := b.soak()
		return soak == "1m0s"
	})
}
