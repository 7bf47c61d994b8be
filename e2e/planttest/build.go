package planttest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

const module = "github.com/andon-cd/andon"

// A built program is compiled once in a run, by whoever needs it first.
type built struct {
	once sync.Once
	err  error
}

var programs sync.Map // name → *built

// Program returns the andon under test.
func Program(t testing.TB) string { return build(t, "andon", module, "e2e") }

// LaterProgram returns an andon that is another build of the same source.
func LaterProgram(t testing.TB) string { return build(t, "andon-later", module, "e2e-later") }

// Shopd returns the service of the scenarios.
func Shopd(t testing.TB) string { return Build(t, "shopd", module+"/e2e/testdata/shopd") }

// Build returns a program of a package that is no part of andon.
func Build(t testing.TB, name, pkg string) string { return build(t, name, pkg, "") }

func build(t testing.TB, name, pkg, version string) string {
	t.Helper()
	path := filepath.Join(root, "bin", name)
	entry, _ := programs.LoadOrStore(name, &built{})
	b := entry.(*built)
	b.once.Do(func() {
		args := []string{"build", "-o", path}
		environment := append(os.Environ(), "CGO_ENABLED=0")
		if version != "" {
			args = append(args, "-ldflags", "-X "+module+"/internal/cli.version="+version)
			if RaceEnabled {
				args, environment = append(args, "-race"), append(os.Environ(), "CGO_ENABLED=1")
			}
		}
		cmd := exec.Command("go", append(args, pkg)...) //nolint:noctx // the test's own time bounds it
		cmd.Env = environment
		if out, err := cmd.CombinedOutput(); err != nil {
			b.err = fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return path
}
