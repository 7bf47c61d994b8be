package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

func TestService_InARepositoryElsewhereIsWatchedAndWoken(t *testing.T) {
	t.Parallel()
	p := startPlant(t, "--poll", "1h")
	shop := p.newShop()
	p.Andon("service", "add", "shop", "--repo", shop.Dir).Wants(t, done, "andon service add")
	arrives := func(number int64) {
		t.Helper()
		until(t, "the commit is a version", func() error {
			v, err := p.Client.Version(t.Context(), "shop", "")
			if err == nil && v.Number != number {
				err = fmt.Errorf("the newest version is %d", v.Number)
			}
			return err
		})
	}
	arrives(1)
	p.Wait("shop@1", "live:production")
	shop.Commit("Second", files{"files/answer.txt": "hello 2\n"})
	resp, err := http.Post(p.URL+"/hooks/shop", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		t.Fatalf("POST /hooks/shop answers %s", resp.Status)
	}
	arrives(2)
	p.Wait("shop@2", "live:production")
	p.answers("shop.localhost", "hello 2\n")
	answer, _ := shop.TryPush("main")
	if answer.Code == done {
		t.Errorf("a service that is watched elsewhere takes a push")
	}
	p.Andon("service", "add", "ghost", "--repo", filepath.Join(p.Home, "nowhere")).Wants(t, unreachable, "adding a repository that is not there")
	if s, err := p.Client.Services(t.Context(), false); err != nil || len(s) != 1 {
		t.Errorf("services: %+v, %v", s, err)
	}
}
