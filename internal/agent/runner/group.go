package runner

import (
	"context"
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
	nothing   *os.File  // standard input of all
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
	nothing, err := os.Open(os.DevNull)
	if err != nil {
		write.Close()
		return nil, fmt.Errorf("starting a process group: %w", err)
	}
	leader := exec.Command("/bin/sh", "-c", leaderScript) //nolint:noctx // end ends it, or the death of this process
	leader.Dir = "/"
	leader.Env = []string{stray + "=" + workspace}
	leader.ExtraFiles = []*os.File{read}
	leader.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := leader.Start(); err != nil {
		write.Close()
		nothing.Close()
		return nil, fmt.Errorf("starting a process group: %w", err)
	}
	id, err := identify(leader.Process.Pid)
	g := &group{workspace: workspace, leader: leader, hold: write, nothing: nothing, identity: id, started: time.Now()}
	if err != nil {
		g.identity.PID = leader.Process.Pid
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
	process, err := os.StartProcess(argv[0], argv, &os.ProcAttr{
		Dir: dir, Env: env, Files: []*os.File{g.nothing, output, output},
		Sys: &syscall.SysProcAttr{Setpgid: true, Pgid: g.identity.PID},
	})
	if err != nil {
		return -1, fmt.Errorf("starting %s: %w", argv[0], err)
	}
	// This goroutine itself waits for the process: a handover would cost a job of many short steps
	// a change of threads for each.
	ended, stopped := make(chan struct{}), make(chan struct{})
	running := context.AfterFunc(ctx, func() {
		defer close(stopped)
		g.stop(process, ended)
	})
	state, err := process.Wait()
	close(ended)
	if !running() {
		<-stopped
		return -1, ctx.Err()
	}
	if err != nil {
		return -1, fmt.Errorf("waiting for %s: %w", argv[0], err)
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil // as shells say it
	}
	return state.ExitCode(), nil
}

// stop asks the step and all that it started to end, and kills what has not ended after the grace.
// A shell dies of SIGTERM at once; the grace is for the deployment tool that it was waiting for.
func (g *group) stop(step *os.Process, ended <-chan struct{}) {
	leader := g.identity.PID
	_ = syscall.Kill(-leader, syscall.SIGTERM)
	if pgid, err := syscall.Getpgid(step.Pid); err == nil && pgid != leader { // such as exec setsid
		_ = step.Signal(syscall.SIGTERM)
	}
	gone(grace, func() bool {
		select {
		case <-ended:
			return !groupRuns(leader, leader)
		default:
			return false
		}
	})
	_ = syscall.Kill(-leader, syscall.SIGKILL)
	_ = step.Kill()
}

// end kills everything that is left of the group, those that left it included, and returns when
// they are gone. Once it has ended, its number may be somebody else's: a second call does nothing.
func (g *group) end() {
	if g.ended {
		return
	}
	g.ended = true
	_ = syscall.Kill(-g.identity.PID, syscall.SIGKILL)
	g.hold.Close()
	g.nothing.Close()
	_ = g.leader.Wait()
	gone(dying, func() bool { return !groupRuns(g.identity.PID, 0) })
	after := 0
	if newestProcess() > g.identity.PID && time.Since(g.started) < wrapTime {
		after = g.identity.PID
	}
	killStrays(g.workspace, after)
}

// wrapTime is how long the numbers of processes surely are not all given once: so long, what is
// younger than a process has a greater number, unless they have begun again at the lowest since.
const wrapTime = 3 * time.Second

// dying is how long killed processes get to be gone: on a busy host, each of them needs its turn
// for that. One that hangs in the kernel, on a dead network file system say, is left behind then; it
// cannot run any more.
const dying = 10 * time.Second

// gone waits until a condition holds, for a time at most. Nobody tells us when a process ends that
// is not our child.
func gone(atMost time.Duration, condition func() bool) {
	pause := 200 * time.Microsecond
	for end := time.Now().Add(atMost); !condition() && time.Now().Before(end); pause = min(2*pause, 20*time.Millisecond) {
		time.Sleep(pause)
	}
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
