package demo

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/e2e/planttest"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/form"
	"github.com/andon-cd/andon/internal/pipeline"
)

// tree writes the working tree of a version.
func tree(t *testing.T, version int) string {
	t.Helper()
	r := &repository{dir: t.TempDir()}
	files, err := firstFiles()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.write(files); err != nil {
		t.Fatal(err)
	}
	for v := 2; v <= version; v++ {
		if err := r.apply(edits[v]); err != nil {
			t.Fatal(err)
		}
	}
	return r.dir
}

func TestShop_HasAValidPipeline(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(tree(t, 1), "andon.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var environments []andon.EnvironmentName
	for _, e := range andon.DefaultEnvironments() {
		environments = append(environments, e.Name)
	}
	p, problems := pipeline.Parse("andon.yaml", text, environments)
	if len(problems) > 0 {
		t.Fatal(form.Format(problems))
	}
	if p.Run.Instances != 2 || len(p.Smoke) != 2 {
		t.Errorf("%d copies, %d smoke tests; the story needs 2 of each", p.Run.Instances, len(p.Smoke))
	}
}

func TestShop_EveryEditChangesWhatIsThere(t *testing.T) {
	for v := 2; v <= 4; v++ {
		before, after := os.DirFS(tree(t, v-1)), os.DirFS(tree(t, v))
		changed := 0
		err := fs.WalkDir(after, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			now, err := fs.ReadFile(after, name)
			if was, _ := fs.ReadFile(before, name); string(was) != string(now) {
				changed++
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if changed == 0 {
			t.Errorf("version %d is the same as the one before it", v)
		}
	}
}

// TestShop_OnlyTheThirdVersionFailsWhereItIsDeployed runs the versions as the plant does: the tests
// pass in the checkout of all of them, and one of them cannot work without it.
func TestShop_OnlyTheThirdVersionFailsWhereItIsDeployed(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the service")
	}
	for version, want := range map[int]int{2: http.StatusOK, 3: http.StatusInternalServerError, 4: http.StatusOK} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			dir := tree(t, version)
			build := exec.CommandContext(t.Context(), "sh", "-e", "-c", "go test -vet=off ./...; go build -o out/shop .")
			build.Dir = dir
			build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath -buildvcs=false")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if got := ask(t, filepath.Join(dir, "out")); got != want {
				t.Errorf("GET /prices = %d, want %d", got, want)
			}
		})
	}
}

// ask runs the program of an artifact and returns the status of its prices.
func ask(t *testing.T, artifact string) int {
	t.Helper()
	_, port, _ := net.SplitHostPort(planttest.FreeAddress(t))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "./shop")
	cmd.Dir, cmd.Env = artifact, append(os.Environ(), "PORT="+port, "ANDON_VERSION=3")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }() // cancel has killed it
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		resp, err := http.Get("http://127.0.0.1:" + port + "/prices")
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if v := resp.Header.Get("Shop-Version"); v != "3" {
				t.Errorf("it says that it is version %q", v)
			}
			return resp.StatusCode
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the shop does not answer: %v", err)
		}
	}
}

func TestShop_UsesTheStandardLibraryAlone(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(tree(t, 4), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "require") {
		t.Errorf("go.mod requires something:\n%s", text)
	}
}
