package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/andon-cd/andon/api"
)

const (
	mostHosts        = 10
	measuredVersions = 7
	warmVersions     = 2
)

// fleets are how many hosts get one copy each, by the environment that has so many.
var fleets = []struct {
	environment string
	hosts       int
}{{"one", 1}, {"three", 3}, {"ten", mostHosts}} // never changes

// deployments measures how long a deployment of a version takes in which nothing has changed, to
// one host, to three and to ten, from its start until the version is live and the one before is
// gone. The hosts are agents on this machine, with their own directories, addresses and proxies.
func deployments(ctx context.Context, b *bench) ([]row, error) {
	p, err := b.start(ctx, "deploy")
	if err != nil {
		return nil, err
	}
	hosts, err := p.startHosts(ctx)
	if err == nil {
		err = p.applyFleets(ctx)
	}
	var rows []row
	if err == nil {
		rows, err = p.deployFleets(ctx)
	}
	for _, end := range hosts {
		err = errors.Join(err, end(ctx))
	}
	return rows, errors.Join(err, p.stop(ctx))
}

// startHosts starts the agents. What ends them is returned in any case.
func (p *plant) startHosts(ctx context.Context) (ends []func(context.Context) error, err error) {
	for i := range mostHosts {
		end, err := p.startHost(ctx, fmt.Sprintf("host-%d", i+1), fmt.Sprintf("127.0.1.%d", i+1))
		if err != nil {
			return ends, err
		}
		ends = append(ends, end)
	}
	return ends, nil
}

func (p *plant) startHost(ctx context.Context, name, address string) (end func(context.Context) error, err error) {
	added, err := p.client.AddAgent(ctx, name)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(p.bench.dir, name)
	cmd := exec.CommandContext(ctx, p.bench.andon, "agent", "--server", p.url, "--name", name, "--data", data, "--address", address, "--proxy", address+":0")
	cmd.Env, cmd.Stderr = append(p.cmd.Env, "ANDON_TOKEN="+added.Token), os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	end = func(ctx context.Context) error { return p.bench.down(ctx, data, cmd) }
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "ready agent "+name+" ") {
		return nil, errors.Join(fmt.Errorf("agent %s said %q", name, line), err, end(ctx))
	}
	return end, nil
}

// applyFleets declares an environment for each fleet, with all requests through one edge.
func (p *plant) applyFleets(ctx context.Context) error {
	estate := filepath.Join(p.bench.dir, "estate")
	r := &repo{dir: estate}
	for _, f := range fleets {
		var names []string
		for i := range f.hosts {
			names = append(names, fmt.Sprintf("host-%d", i+1))
		}
		file := filepath.Join(estate, "environments", f.environment+".yaml")
		text := fmt.Sprintf("strategy: blue-green\nhosts: {names: [%s]}\nedge: {names: [host-1]}\n", strings.Join(names, ", "))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
	}
	if err := errors.Join(r.git(ctx, "init", "-q", "-b", "main"), r.git(ctx, "add", "."), r.git(ctx, "commit", "-q", "-m", "the fleets")); err != nil {
		return err
	}
	apply := exec.CommandContext(ctx, p.bench.andon, "estate", "apply", estate, "--data", p.data)
	apply.Env = p.cmd.Env
	if out, err := apply.CombinedOutput(); err != nil {
		return fmt.Errorf("andon estate apply: %w: %s", err, out)
	}
	return nil
}

// noopYAML is a service whose versions differ in nothing, which goes to one fleet after the other.
func noopYAML() (string, error) {
	program, err := os.Executable()
	if err != nil {
		return "", err
	}
	text := yaml("noop", `        - run: "true"`) +
		"  artifact: {path: andon.yaml}\nrun: {command: [" + strconv.Quote(program) + ", " + asCopy + "], port: 8080, drain: 0s, health: {path: /healthz}}\nstages:\n"
	differ := "environments:\n"
	for _, f := range fleets {
		text += fmt.Sprintf("  - {name: to-%s, deploy: %s}\n", f.environment, f.environment)
		differ += fmt.Sprintf("  %s: {instances: %d}\n", f.environment, f.hosts)
	}
	return text + differ, nil
}

func (p *plant) deployFleets(ctx context.Context) ([]row, error) {
	text, err := noopYAML()
	if err != nil {
		return nil, err
	}
	r, err := p.repo(ctx, "noop", text, 1)
	if err != nil {
		return nil, err
	}
	last := fleets[len(fleets)-1].environment
	for i := range warmVersions + measuredVersions {
		if err := r.push(ctx); err != nil {
			return nil, err
		}
		if err := p.wait(ctx, "noop", strconv.Itoa(i+1), "live:"+last); err != nil {
			return nil, err
		}
	}
	var rows []row
	for _, f := range fleets {
		took, err := p.tookFor(ctx, f.environment)
		if err != nil {
			return nil, err
		}
		floor, err := timed(func() error { _, err := startCopies(ctx, f.hosts); return err })
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{
			fmt.Sprintf("deployment of a no-op version to %s, started → ended, p50", count(f.hosts)), fmt.Sprintf("%s (%.1f ×)", ms(took), float64(took)/float64(floor)),
			ms(floor) + " (processes started → healthy)", "",
		})
	}
	return rows, nil
}

func count(hosts int) string {
	if hosts == 1 {
		return "1 agent"
	}
	return strconv.Itoa(hosts) + " agents"
}

// tookFor returns the median time of the measured deployments to an environment.
func (p *plant) tookFor(ctx context.Context, environment string) (time.Duration, error) {
	all, err := p.client.Deployments(ctx, api.DeploymentFilter{Service: "noop", Environment: environment, Page: api.Page{Limit: 100}})
	if err != nil {
		return 0, err
	}
	var took []time.Duration
	for _, d := range all {
		if d.Outcome != api.Succeeded || d.Started == nil || d.Ended == nil {
			return 0, fmt.Errorf("%s: %s %s", d.ID, d.Outcome, d.Reason)
		}
		if d.Version > warmVersions {
			took = append(took, d.Ended.Sub(*d.Started))
		}
	}
	if len(took) != measuredVersions {
		return 0, fmt.Errorf("%d deployments to %s, want %d", len(took), environment, measuredVersions)
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}
