package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/andon-cd/andon/e2e/planttest"
)

// greedyPipeline takes the greedy service to production. WHAT is what it takes.
const greedyPipeline = `service: WHAT
commit:
  jobs:
    build:
      steps: ["true"]
  artifact: {path: files}
run:
  command: [GREEDY, WHAT]
  port: 8080
  health: {path: /healthz, interval: 200ms, timeout: 5s, start: 3m}
stages:
  - {name: production, deploy: production}
`

// newGreedy returns a repository of a service that takes all of one thing.
func (p *plant) newGreedy(what string) *repository {
	p.T.Helper()
	r := p.newRepository(what)
	text := strings.NewReplacer("WHAT", what, "GREEDY", planttest.Build(p.T, "greedy", "./testdata/greedy")).Replace(greedyPipeline)
	r.Commit("Take all of it", files{"andon.yaml": text, "files/readme.txt": "greedy\n"})
	return r
}

// TestLimits_OneServiceTakesNoOtherDown: whatever a service takes of its host, another one on the
// same host loses no request and no copy, and can be deployed meanwhile.
func TestLimits_OneServiceTakesNoOtherDown(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can keep copies within limits")
	}
	p := newPlant(t)
	const disk = 400 << 20
	smallDisk(t, p.Data, fmt.Sprint(disk), p.End)
	p.Start()
	// The disk is in memory, and what a copy writes there counts as its own.
	p.production("strategy: rolling\nlimits: {memory: 640MiB, cpu: 1, processes: 48}\n")
	shop := p.newShop("  - {name: acceptance, deploy: test, grants: release-candidate}\n", "")
	shop.ShipFirst()
	l := p.newLoad("shop.localhost", reading)
	waitForRequests(t, l, 20)
	shops := p.copiesOf("shop")

	answer := 1
	for _, greed := range []struct {
		what  string
		fails []string // what its failed deployment says
		live  func(t *testing.T)
	}{
		{what: "memory", fails: []string{"it reached its memory limit of 640 MiB"}},
		{what: "crash", fails: []string{"exit status 7"}},
		{what: "processes", live: func(t *testing.T) {
			until(t, "it has many processes", func() error {
				if n := len(p.copiesOf("processes")); n < 20 {
					return fmt.Errorf("it has %d", n)
				}
				return nil
			})
			if n := len(p.copiesOf("processes")); n > 48 { // its threads count too
				t.Errorf("it has %d processes", n)
			}
		}},
		{what: "log", live: func(t *testing.T) {
			until(t, "most of the log was let go", func() error {
				if size, blocks := largestLog(t, p.Data); size < 200<<20 || blocks > 100<<20 {
					return fmt.Errorf("%d bytes were written, %d are on the disk", size, blocks)
				}
				return nil
			})
		}},
		{what: "disk", live: func(t *testing.T) {
			until(t, "it is ended for what it writes", func() error {
				for _, c := range p.service("disk").Places[0].CopyList {
					if strings.Contains(c.Reason, "the disk is nearly full, and it wrote the most of late") {
						return nil
					}
				}
				return fmt.Errorf("%+v", p.service("disk").Places)
			})
		}},
		{what: "ports", live: func(t *testing.T) {
			for _, in := range p.inTraffic("ports", "production") {
				if in.Restarts > 0 {
					t.Errorf("it was started again: %+v", in)
				}
			}
		}},
	} {
		t.Run(greed.what, func(t *testing.T) {
			r := p.newGreedy(greed.what)
			version := r.Push()
			if greed.live == nil {
				p.failsBecause(greed.what, version, greed.fails...)
			} else {
				p.Wait(r.Ref(version), "live:production")
				greed.live(t)
			}
			// Others are served, none of their copies was started again, and they can be deployed.
			l.intact()
			for _, c := range shops {
				if !c.Alive() {
					t.Errorf("copy %s does not run any more", c.Environ["ANDON_INSTANCE"])
				}
			}
			answer++
			shop.Ship("While another takes all "+greed.what, files{"files/answer.txt": fmt.Sprintf("hello %d\n", answer)})
			shops = p.copiesOf("shop")
			p.Andon("service", "remove", greed.what, "--reason", "it takes too much").Wants(t, done, "andon service remove")
			until(t, "nothing of it runs", func() error {
				if left := p.copiesOf(greed.what); len(left) > 0 {
					return fmt.Errorf("%d processes", len(left))
				}
				return nil
			})
			l.intact()
		})
	}
	l.stop()
	l.intact()
	sent, _ := l.count()
	t.Logf("%d requests, none failed", sent)
}

// copiesOf returns the processes of a service's copies in production.
func (p *plant) copiesOf(service string) []process {
	var found []process
	for _, c := range with(processesOf(p.Data), "ANDON_INSTANCE") {
		if c.Environ["ANDON_ENVIRONMENT"] == "production" && c.Environ["ANDON_SERVICE"] == service {
			found = append(found, c)
		}
	}
	return found
}

// largestLog returns the length of the longest log of a copy, and what it takes on the disk.
func largestLog(t *testing.T, data string) (size, blocks int64) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(data, "agent", "copies", "*", "log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range logs {
		if info, err := os.Stat(path); err == nil && info.Size() > size {
			size, blocks = info.Size(), info.Sys().(*syscall.Stat_t).Blocks*512
		}
	}
	return size, blocks
}
