package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A repository is a git repository in which somebody works on a service.
type repository struct {
	t       *testing.T
	plant   *plant
	service string
	dir     string
}

// newRepository returns an empty repository that git can push to the plant.
func (p *plant) newRepository(service string) *repository {
	p.t.Helper()
	r := &repository{t: p.t, plant: p, service: service, dir: filepath.Join(p.home, "work", service)}
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		p.t.Fatal(err)
	}
	r.git("init", "-q", "-b", "main")
	return r
}

// git runs git in the repository and returns what it prints.
func (r *repository) git(args ...string) string {
	r.t.Helper()
	answer := execute(r.t, r.dir, environmentIn(r.plant.home), "git", args...)
	answer.wants(r.t, done, "git "+strings.Join(args, " "))
	return strings.TrimSpace(answer.out)
}

// files are the files of a commit by path; an empty text removes one.
type files map[string]string

// commit changes files, commits them and returns the commit.
func (r *repository) commit(message string, change files) string {
	r.t.Helper()
	for path, text := range change {
		path = filepath.Join(r.dir, path)
		var err error
		if text == "" {
			err = os.Remove(path)
		} else if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = os.WriteFile(path, []byte(text), 0o700)
		}
		if err != nil && !os.IsNotExist(err) {
			r.t.Fatal(err)
		}
	}
	r.git("add", "-A")
	r.git("commit", "-q", "--allow-empty", "-m", message)
	return r.git("rev-parse", "HEAD")
}

var announced = regexp.MustCompile(`andon: (\S+) (\d+): `)

// tryPush pushes a branch and returns how that ended, and the version that git is told of.
func (r *repository) tryPush(branch string) (result, int64) {
	// git signs in by a header: the credential helper has a test of its own.
	name, args := r.plant.at.command("git", "-c", "http.extraHeader=Authorization: Bearer "+r.plant.token,
		"push", r.plant.url+"/git/"+r.service+".git", branch)
	answer := execute(r.t, r.dir, environmentIn(r.plant.home), name, args...)
	var version int64
	if found := announced.FindStringSubmatch(answer.err); found != nil {
		version, _ = strconv.ParseInt(found[2], 10, 64)
	}
	return answer, version
}

// push pushes the trunk and returns the version that it made.
func (r *repository) push() int64 {
	r.t.Helper()
	answer, version := r.tryPush("main")
	answer.wants(r.t, done, "git push")
	if version == 0 {
		r.t.Fatalf("the push names no version: %s", answer)
	}
	return version
}

// ship commits, pushes, and waits until the version is live in production.
func (r *repository) ship(message string, change files) int64 {
	r.t.Helper()
	r.commit(message, change)
	version := r.push()
	r.plant.wait(r.at(version), "live:production")
	return version
}

// shipFirst takes what is committed already to production.
func (r *repository) shipFirst() int64 {
	r.t.Helper()
	version := r.push()
	r.plant.wait(r.at(version), "live:production")
	return version
}

// at names a version as the command line does.
func (r *repository) at(version int64) string {
	return r.service + "@" + strconv.FormatInt(version, 10)
}

// shopPipeline takes shopd to test and to production. SHOPD stands for the program.
const shopPipeline = `service: shop
commit:
  jobs:
    build:
      steps: [sh ./test.sh]
  artifact: {path: files}
run:
  command: [SHOPD]
  port: 8080
  health: {path: /healthz, interval: 200ms}
  instances: 2
  drain: 2s
smoke:
  - http: {path: /, status: 200}
stages:
  - {name: acceptance, deploy: test, grants: release-candidate}
  - {name: certify, grants: certified}
  - {name: production, deploy: production}
`

// newShop returns a repository of the shop with its first commit. Each edit is an old text and
// what replaces it in the pipeline.
func (p *plant) newShop(edits ...string) *repository {
	p.t.Helper()
	r := p.newRepository("shop")
	r.commit("Open the shop", files{"andon.yaml": p.pipeline(edits...), "test.sh": "exit 0\n", "files/answer.txt": "hello 1\n"})
	return r
}

func (p *plant) pipeline(edits ...string) string {
	p.t.Helper()
	text := strings.ReplaceAll(shopPipeline, "SHOPD", shopd(p.t))
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			p.t.Fatalf("the pipeline has no %q", edits[i])
		}
		text = strings.ReplaceAll(text, edits[i], edits[i+1])
	}
	return text
}
