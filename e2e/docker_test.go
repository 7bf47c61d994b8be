package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/e2e/planttest"
	"github.com/andon-cd/andon/internal/platform/docker/dockertest"
)

// place returns one service in one environment, with its copies.
func (p *plant) place(service, environment string) api.PlaceDetail {
	p.T.Helper()
	for _, place := range p.service(service).Places {
		if place.Environment == environment {
			return place
		}
	}
	p.T.Fatalf("%s has no place %s", service, environment)
	return api.PlaceDetail{}
}

// A contained is a container as an Engine shows it.
type contained struct {
	ID     string `json:"Id"`
	Image  string
	State  string
	Labels map[string]string
}

// containers returns an Engine's containers of an environment, in the order of their copies.
func containers(t *testing.T, e *dockertest.Engine, environment string) []contained {
	t.Helper()
	client := &http.Client{Timeout: planttest.CommandTimeout, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", e.Socket())
		},
	}}
	query := url.Values{"all": {"true"}, "filters": {`{"label":["andon.environment=` + environment + `"]}`}}
	resp, err := client.Get("http://engine/containers/json?" + query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var all []contained
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&all); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(all, func(a, b contained) int {
		return strings.Compare(a.Labels["andon.instance"], b.Labels["andon.instance"])
	})
	return all
}

// sameContainers fails the test unless the Engine has exactly the given containers, and they run.
func sameContainers(t *testing.T, e *dockertest.Engine, environment string, want []contained) {
	t.Helper()
	got := containers(t, e, environment)
	if !slices.EqualFunc(got, want, func(a, b contained) bool { return a.ID == b.ID && a.State == "running" }) {
		t.Fatalf("the containers are %+v; want %+v", got, want)
	}
}

// TestDocker_VersionsGoToContainersAndNobodyNotices: see testContainers.
func TestDocker_VersionsGoToContainersAndNobodyNotices(t *testing.T) {
	t.Parallel()
	testContainers(t, newEngine(t, "--live-restore"), "Docker")
}

// TestPodman_VersionsGoToContainersAndNobodyNotices: see testContainers.
func TestPodman_VersionsGoToContainersAndNobodyNotices(t *testing.T) {
	t.Parallel()
	testContainers(t, newPodman(t), "Podman")
}

// testContainers: production runs in containers and test in processes, of the same artifact, with
// one agent; a rollback, a restart of the agent and a killed engine that leaves its containers
// alone are not noticed.
func testContainers(t *testing.T, engine *dockertest.Engine, product string) {
	p := startPlant(t, "--docker", engine.Socket())
	p.production("platform: docker\nlimits: {memory: 256MiB, cpu: 2, processes: 300}\n")
	shop := p.newContainedShop()
	first := shop.ShipFirst()
	p.answers("shop.localhost", "hello 1\n")
	before := containers(t, engine, "production")
	live := p.place("shop", "production").Live
	if len(before) != 2 || live == nil || live.Platform != "docker" {
		t.Fatalf("%+v is live, in the containers %+v; want two", live, before)
	}
	for _, c := range before {
		named := strings.HasPrefix(c.Image, "sha256:") || strings.HasSuffix(c.Image, strings.TrimPrefix(live.Artifact, "sha256"))
		if c.Labels["andon.artifact"] != live.Artifact || c.State != "running" || !named {
			t.Errorf("container %+v is not of artifact %s", c, live.Artifact)
		}
	}
	if n := len(containers(t, engine, "test")) + len(with(processesOf(filepath.Join(p.Data, "agent", "copies")), "ANDON_INSTANCE")); n != 2 {
		t.Errorf("test has %d copies; want two, as processes", n)
	}
	p.Andon("status").Wants(t, done, "andon status").Says(t, "in containers", "has containers")
	p.Andon("doctor", "--docker", engine.Socket(), "--data", p.Data).Says(t, product, "platform: docker can run here")

	l := p.newLoad("shop.localhost", shopping)
	shop.Ship("Say more", files{"files/answer.txt": "hello 2\n"})
	p.answers("shop.localhost", "hello 2\n")
	p.Andon("rollback", "shop", "production", "--reason", "the test goes back").Wants(t, done, "andon rollback")
	p.idle()
	p.answers("shop.localhost", "hello 1\n")
	if now := p.live("shop", "production"); now != first {
		t.Errorf("version %d is live after the rollback; want %d", now, first)
	}
	l.intact()

	kept := containers(t, engine, "production")
	p.Kill()
	waitForRequests(t, l, 50)
	p.Start()
	p.idle()
	sameContainers(t, engine, "production", kept)

	engine.Kill()
	waitForRequests(t, l, 200)
	if err := engine.Start(); err != nil {
		t.Fatal(err)
	}
	shop.Ship("Go on", files{"files/answer.txt": "hello 3\n"})
	p.answers("shop.localhost", "hello 3\n")
	l.stop()
	l.intact()
	until(t, "the log of the copies is there", func() error {
		if r := p.Andon("log", p.place("shop", "production").CopyList[0].Log); !strings.Contains(r.Out, "shopd 3 of production starts") {
			return fmt.Errorf("%s", r)
		}
		return nil
	})

	p.End()
	for _, c := range containers(t, engine, "production") {
		if c.State == "running" {
			t.Errorf("andon down leaves container %+v", c)
		}
	}
}

// TestDocker_CopiesComeBackWithAnEngineThatEndsThem: without live-restore an Engine that is
// restarted ends its containers. Clients are refused meanwhile; then all is as it was, without a
// deployment.
func TestDocker_CopiesComeBackWithAnEngineThatEndsThem(t *testing.T) {
	t.Parallel()
	engine := newEngine(t)
	p := startPlant(t, "--docker", engine.Socket())
	p.production("platform: docker\n")
	shop := p.newContainedShop()
	version := shop.ShipFirst()
	if err := engine.End(); err != nil {
		t.Fatal(err)
	}
	until(t, "the plant says that the copies are not well", func() error {
		for _, c := range p.place("shop", "production").CopyList {
			if c.Phase == "healthy" {
				return fmt.Errorf("%+v", c)
			}
		}
		return nil
	})
	if answer, err := get(t, p.Proxy, "shop.localhost", "/"); err == nil {
		t.Errorf("without copies the shop answers %q", answer)
	}
	if err := engine.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "the shop answers again", func() error {
		_, err := get(t, p.Proxy, "shop.localhost", "/")
		return err
	})
	p.idle()
	if live := p.live("shop", "production"); live != version {
		t.Errorf("version %d is live; want %d", live, version)
	}
	all, err := p.Client.Deployments(t.Context(), api.DeploymentFilter{Service: "shop", Environment: "production"})
	if err != nil || len(all) != 1 {
		t.Errorf("the deployments are %+v, %v; want the first alone", all, err)
	}
}

// TestDocker_ReplaceMakesEveryInstanceAnew: no container of a deployment was there before, also
// when it goes back, and none of the old ones stays.
func TestDocker_ReplaceMakesEveryInstanceAnew(t *testing.T) {
	t.Parallel()
	engine := newEngine(t)
	p := startPlant(t, "--docker", engine.Socket())
	p.production("platform: docker\nstrategy: replace\n")
	shop := p.newContainedShop()
	shop.ShipFirst()
	l := p.newLoad("shop.localhost", shopping)
	seen := map[string]bool{}
	fresh := func(what string) {
		t.Helper()
		p.idle()
		now := containers(t, engine, "production")
		for _, c := range now {
			if seen[c.ID] {
				t.Errorf("after %s container %s is still there, or again", what, c.ID)
			}
			seen[c.ID] = true
		}
		if len(now) != 2 {
			t.Errorf("after %s there are the containers %+v; want two", what, now)
		}
	}
	fresh("the first deployment")
	shop.Ship("Say more", files{"files/answer.txt": "hello 2\n"})
	fresh("the second deployment")
	p.Andon("rollback", "shop", "production", "--reason", "the test goes back").Wants(t, done, "andon rollback")
	fresh("the rollback")
	p.answers("shop.localhost", "hello 1\n")
	l.stop()
	l.intact()
}
