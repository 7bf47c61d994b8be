package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// grace is what the processes of a task get to end by themselves after SIGTERM.
const grace = 5 * time.Second

// leaderScript is the leader of a task's process group. It does nothing but wait for its pipe to
// close, which happens when the agent ends it or when the agent itself dies; then it kills the
// whole group, itself included.
const leaderScript = `trap '' TERM INT HUP; read -r _ <&3; kill -KILL 0`

// stray is the variable by which a process that left its group is still found: no other task has
// the same workspace, also not one of another plant on this machine.
const stray = "ANDON_WORKSPACE"

// A group is the process group of one task. All its steps run in it, one after the other.
type group struct {
	workspace string
	leader    *exec.Cmd // not waited for before the end: so long, nobody else can get its number
	hold      *os.File  // the pipe that keeps the group alive
	identity  identity
	started   time.Time
	ended     bool
}

// startGroup starts the group of the task in a workspace, with its leader alone.
func startGroup(workspace string) (*group, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("starting a process group: %w", err)
	}
	defer read.Close()
	leader := exec.Command("/bin/sh", "-c", leaderScript) //nolint:noctx // end ends it, or the death of this process
	leader.Dir = "/"
	leader.Env = []string{stray + "=" + workspace}
	leader.ExtraFiles = []*os.File{read}
	leader.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := leader.Start(); err != nil {
		write.Close()
		return nil, fmt.Errorf("starting a process group: %w", err)
	}
	id, err := identify(leader.Process.Pid)
	g := &group{workspace: workspace, leader: leader, hold: write, identity: id, started: time.Now()}
	if err != nil {
		g.end()
		return nil, fmt.Errorf("identifying a process group: %w", err)
	}
	return g, nil
}

// run runs a command as a member of the group and returns its exit code. When ctx ends, the whole
// group is asked to end and is killed after a grace. The error is the context's, or says that the
// command could not be started.
func (g *group) run(ctx context.Context, dir string, env, argv []string, output *os.File) (exit int, err error) {
	if ctx.Err() != nil {
		return -1, ctx.Err()
	}
	cmd := exec.Command(argv[0], argv[1:]...) //nolint:noctx // ended below, with the whole group
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: g.leader.Process.Pid}
	if err := cmd.Start(); err != nil {
		return -1, fmt.Errorf("starting %s: %w", argv[0], err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
	case <-ctx.Done():
		g.stop(ended)
		return -1, ctx.Err()
	}
	if exitError, ok := errors.AsType[*exec.ExitError](err); ok {
		if status, ok := exitError.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return 128 + int(status.Signal()), nil // as shells say it
		}
		return exitError.ExitCode(), nil
	}
	return 0, err
}

// stop asks the group to end, and kills it when the step has not ended after the grace.
func (g *group) stop(ended <-chan error) {
	_ = syscall.Kill(-g.leader.Process.Pid, syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		_ = syscall.Kill(-g.leader.Process.Pid, syscall.SIGKILL)
		<-ended
	}
}

// end kills everything that is left of the group, those that left it included, and returns when
// they are gone. Once it has ended, its number may be somebody else's: a second call does nothing.
func (g *group) end() {
	if g.ended {
		return
	}
	g.ended = true
	_ = syscall.Kill(-g.leader.Process.Pid, syscall.SIGKILL)
	g.hold.Close()
	_ = g.leader.Wait()
	gone(func() bool { return !groupRuns(g.identity.PID) })
	after := 0
	if time.Since(g.started) < wrapTime {
		after = g.identity.PID
	}
	killStrays(g.workspace, after)
}

// wrapTime is how long the numbers of processes surely do not begin again: so long, what is
// younger than a process has a greater number.
const wrapTime = 3 * time.Second

// dying is how long killed processes get to be gone. One that hangs in the kernel, on a dead
// network file system say, is left behind then; it cannot run any more.
const dying = 2 * time.Second

// gone waits until a condition holds, for dying at most, and reports whether it does. Nobody
// tells us when a process ends that is not our child.
func gone(condition func() bool) bool {
	pause := 200 * time.Microsecond
	for end := time.Now().Add(dying); !condition(); pause = min(2*pause, 20*time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
		time.Sleep(pause)
	}
	return true
}

// An identity tells a process from a later one with the same number.
type identity struct {
	PID   int    `json:"pid"`
	Start string `json:"start"` // when the kernel says that it began
	Boot  string `json:"boot"`  // which run of the machine
}

// kill kills the group that the process leads, if it is still the same one.
func (i identity) kill() {
	now, err := identify(i.PID)
	if err != nil || now != i {
		return
	}
	_ = syscall.Kill(-i.PID, syscall.SIGKILL)
}
