package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/andon-cd/andon/internal/agent/runner"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform"
	"github.com/andon-cd/andon/internal/server"
)

type downCmd struct {
	Grace time.Duration `default:"10s" placeholder:"TIME" help:"How long a copy may take to end before it is killed. (default ${default})"`
}

// A stopped is what `andon down --json` prints.
type stopped struct {
	Data   string `json:"data"`
	Server bool   `json:"server"` // it ran
	Copies int    `json:"copies"`
}

// Run stops everything of a plant, or of an agent's host: server, agent, jobs, copies, proxy.
func (cmd *downCmd) Run(c *call) error {
	dir, err := c.ownPlant()
	if err != nil {
		return err
	}
	d := server.Directory(dir)
	if _, err := os.Stat(d.Format()); err != nil {
		return andon.Errorf(andon.KindNotFound, "there is no plant in %s", dir).
			WithHint("Name its data directory with --data DIR.")
	}
	answer := stopped{Data: dir}
	if answer.Server, err = endServer(c.ctx, d); err != nil {
		return err
	}
	// Nobody starts a server here while its copies are being stopped.
	release, err := d.Hold()
	if err != nil {
		return err
	}
	defer release()
	if answer.Copies, err = c.endHost(d, cmd.Grace); err != nil {
		return err
	}
	if c.json {
		c.sayJSON(c.out, answer)
		return nil
	}
	if !answer.Server && answer.Copies == 0 {
		fmt.Fprintf(c.out, "Nothing of it runs in %s any more.\n", dir)
		return nil
	}
	who := "server"
	if _, err := os.Stat(agentRecordFile(dir)); err == nil {
		who = "agent"
	}
	what := "the " + who
	if !answer.Server {
		what += " (which did not run)"
	}
	fmt.Fprintf(c.out, "Stopped in %s: %s, %s, the proxy. Nothing is lost: `andon %s --data %s` brings it back.\n",
		dir, what, count(answer.Copies, "copy", "copies"), who, quoted(dir))
	return nil
}

// endingServer is how long a server may take to stop in an orderly way.
const endingServer = 40 * time.Second

// endServer stops the process that holds the directory, if there is one.
func endServer(ctx context.Context, d server.Directory) (ran bool, err error) {
	if !d.Held() {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, endingServer)
	defer cancel()
	told := 0
	for {
		// A server that is just starting writes its process ID in a moment.
		if pid := holderOf(d); pid > 0 && pid != told {
			err := syscall.Kill(pid, 0)
			if err == nil && holds(pid, d.Lock()) {
				err, told = syscall.Kill(pid, syscall.SIGTERM), pid
			}
			if errors.Is(err, syscall.EPERM) {
				return true, andon.Errorf(andon.KindRefused, "the server (process %d) cannot be stopped", pid).
					WithHint("Run this as the user who started it.").Because(err)
			}
		}
		if !rest(ctx, 50*time.Millisecond) {
			return true, andon.Errorf(andon.KindTimeout, "the server of %s did not stop", d).
				WithHint("See what it does, or end its process by hand; then run this again.").Because(ctx.Err())
		}
		if !d.Held() {
			return true, nil
		}
	}
}

// holderOf returns the process that says it runs from the directory; 0: none does.
func holderOf(d server.Directory) int {
	if a, err := d.ReadAddresses(); err == nil {
		return a.PID
	}
	var record agentRecord
	if data, err := os.ReadFile(agentRecordFile(string(d))); err == nil && json.Unmarshal(data, &record) == nil {
		return record.PID
	}
	return 0
}

// endHost ends the jobs, the copies and the proxy of a directory that no server holds. Copies
// stay known as ended, with their logs.
func (c *call) endHost(d server.Directory, grace time.Duration) (copies int, err error) {
	log := c.log(slog.LevelWarn)
	jobs, err := runner.Open(runner.Config{Dir: d.Agent(), Log: log})
	if err != nil {
		return 0, err
	}
	if _, err := jobs.Recover(c.ctx); err != nil {
		return 0, err
	}
	running, err := openProcesses(d.Copies(), noArtifacts, log)
	if err != nil {
		return 0, err
	}
	copies, err = endCopies(c.ctx, running, grace)
	inContainers, containersErr := c.endContainers(d, grace, log)
	return copies + inContainers, errors.Join(err, running.Close(), containersErr, stopProxy(c.ctx, d.Proxy()))
}

// endContainers ends the copies of a directory that are containers.
func (c *call) endContainers(d server.Directory, grace time.Duration, log *slog.Logger) (copies int, err error) {
	running, err := openLeft(c.ctx, d, log)
	if err != nil || running == nil {
		return 0, err
	}
	copies, err = endCopies(c.ctx, running, grace)
	return copies, errors.Join(err, running.Close())
}

// endCopies ends all copies of a platform at the same time.
func endCopies(ctx context.Context, p platform.Platform, grace time.Duration) (int, error) {
	all, err := p.List(ctx)
	if err != nil {
		return 0, err
	}
	ended := 0
	results := make(chan error)
	for _, i := range all {
		if i.Running {
			ended++
			go func() { results <- p.End(ctx, i.ID, grace) }()
		}
	}
	for range ended {
		err = errors.Join(err, <-results)
	}
	return ended, err
}

func noArtifacts(context.Context, andon.ServiceName, andon.Digest) (string, error) {
	return "", errors.New("nothing is started here")
}
