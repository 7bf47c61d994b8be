package planttest

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A Repository is a git repository in which somebody works on a service.
type Repository struct {
	T       *testing.T
	Plant   *Plant
	Service string
	Dir     string
}

// NewRepository returns an empty repository that git can push to the plant.
func (p *Plant) NewRepository(service string) *Repository {
	p.T.Helper()
	r := &Repository{T: p.T, Plant: p, Service: service, Dir: filepath.Join(p.Home, "work", service)}
	if err := os.MkdirAll(r.Dir, 0o700); err != nil {
		p.T.Fatal(err)
	}
	r.Git("init", "-q", "-b", "main")
	return r
}

// Git runs git in the repository and returns what it prints.
func (r *Repository) Git(args ...string) string {
	r.T.Helper()
	answer := Execute(r.T, r.Dir, EnvironmentIn(r.Plant.Home), "git", args...)
	answer.Wants(r.T, Done, "git "+strings.Join(args, " "))
	return strings.TrimSpace(answer.Out)
}

// Files are the files of a commit by path; an empty text removes one.
type Files map[string]string

// Commit changes files, commits them and returns the commit.
func (r *Repository) Commit(message string, change Files) string {
	r.T.Helper()
	for path, text := range change {
		path = filepath.Join(r.Dir, path)
		var err error
		if text == "" {
			err = os.Remove(path)
		} else if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = os.WriteFile(path, []byte(text), 0o700)
		}
		if err != nil && !os.IsNotExist(err) {
			r.T.Fatal(err)
		}
	}
	r.Git("add", "-A")
	r.Git("commit", "-q", "--allow-empty", "-m", message)
	return r.Git("rev-parse", "HEAD")
}

var announced = regexp.MustCompile(`andon: (\S+) (\d+): `)

// TryPush pushes a branch and returns how that ended, and the version that git is told of.
func (r *Repository) TryPush(branch string) (Result, int64) {
	// It signs in by a header: the credential helper has a test of its own.
	name, args := r.Plant.At.Command("git", "-c", "http.extraHeader=Authorization: Bearer "+r.Plant.Token,
		"push", r.Plant.URL+"/git/"+r.Service+".git", branch)
	answer := Execute(r.T, r.Dir, EnvironmentIn(r.Plant.Home), name, args...)
	var version int64
	if found := announced.FindStringSubmatch(answer.Err); found != nil {
		version, _ = strconv.ParseInt(found[2], 10, 64)
	}
	return answer, version
}

// Push pushes the trunk and returns the version that it made.
func (r *Repository) Push() int64 {
	r.T.Helper()
	answer, version := r.TryPush("main")
	answer.Wants(r.T, Done, "git push")
	if version == 0 {
		r.T.Fatalf("the push names no version: %s", answer)
	}
	return version
}

// Ship commits, pushes, and waits until the version is live in production.
func (r *Repository) Ship(message string, change Files) int64 {
	r.T.Helper()
	r.Commit(message, change)
	version := r.Push()
	r.Plant.Wait(r.Ref(version), "live:production")
	return version
}

// ShipFirst takes what is committed already to production.
func (r *Repository) ShipFirst() int64 {
	r.T.Helper()
	version := r.Push()
	r.Plant.Wait(r.Ref(version), "live:production")
	return version
}

// Ref names a version as the command line does.
func (r *Repository) Ref(version int64) string {
	return r.Service + "@" + strconv.FormatInt(version, 10)
}

// shopPipeline takes shopd to test and to production. SHOPD stands for the program. Its health allows
// for a machine that is busy with other tests: it is for tests that are not about probes.
const shopPipeline = `service: shop
commit:
  jobs:
    build:
      steps: [sh ./test.sh]
  artifact: {path: files}
run:
  command: [SHOPD]
  port: 8080
  health: {path: /healthz, interval: 200ms, timeout: 5s, start: 3m}
  instances: 2
  drain: 2s
smoke:
  - http: {path: /, status: 200}
stages:
  - {name: acceptance, deploy: test, grants: release-candidate}
  - {name: certify, grants: certified}
  - {name: production, deploy: production}
`

// NewShop returns a repository of the shop with its first commit. Each edit is an old text and
// what replaces it in the pipeline.
func (p *Plant) NewShop(edits ...string) *Repository {
	p.T.Helper()
	r := p.NewRepository("shop")
	r.Commit("Open the shop", Files{"andon.yaml": p.Pipeline(edits...), "test.sh": "exit 0\n", "files/answer.txt": "hello 1\n"})
	return r
}

// Pipeline returns the andon.yaml of the shop with its edits.
func (p *Plant) Pipeline(edits ...string) string {
	p.T.Helper()
	text := strings.ReplaceAll(shopPipeline, "SHOPD", Shopd(p.T))
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			p.T.Fatalf("the pipeline has no %q", edits[i])
		}
		text = strings.ReplaceAll(text, edits[i], edits[i+1])
	}
	return text
}
