package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform"
	"github.com/andon-cd/andon/internal/platform/copylog"
	"github.com/andon-cd/andon/internal/platform/process/confine"
)

// launcher says that it is there, and holds the program of a copy back until its record is on
// disk. The program takes the shell's place, so it keeps the process ID and start time that
// the record names.
const launcher = `echo ready >&4; exec 4>&-; read -r go <&3 && [ "$go" = go ] || exit 0; exec "$@" 3<&-`

// readyTimeout is how long a copy's process may take until it waits to be let go.
const readyTimeout = 30 * time.Second

// Start implements platform.Platform.
func (d *Driver) Start(ctx context.Context, spec platform.Spec) (platform.Instance, error) {
	if err := check(spec); err != nil {
		return platform.Instance{}, err
	}
	s, release, err := d.take(ctx, spec.ID, true)
	if err != nil {
		return platform.Instance{}, err
	}
	defer release()
	if inst, ok := s.instance(); ok && inst.Running {
		return inst, nil
	}
	if lacks := d.config.Warden.Lacks(spec.Limits); lacks != "" {
		return platform.Instance{}, andon.Errorf(andon.KindRefused, "copy %s cannot be kept within %s", spec.ID, lacks).
			WithHint("Run the agent as root on Linux, choose platform docker, or take the limits out of the environment in the estate.")
	}
	dir, err := d.config.Artifacts(ctx, spec.Service, spec.Artifact)
	if err != nil {
		return platform.Instance{}, err
	}
	env := d.environment(spec)
	if err := findCommand(dir, spec.Command[0], env["PATH"]); err != nil {
		return platform.Instance{}, err
	}
	if s.record != nil {
		killAll(0, d.mark(spec.ID)) // what an earlier process of this copy left behind
	}
	if err := d.launch(s, spec, dir, env); err != nil {
		return platform.Instance{}, cannotStart(spec.ID, err)
	}
	inst, _ := s.instance()
	return inst, nil
}

// cannotStart says why this host did not start a copy, in the system's own words: the disk is
// full, or there are too many processes.
func cannotStart(id andon.InstanceID, err error) error {
	e := andon.Errorf(andon.KindUnavailable, "copy %s cannot be started", id).Because(err)
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		e.Message += ": " + errno.Error()
	}
	return e
}

// launch starts the process of a copy, records it, and only then lets its program run.
func (d *Driver) launch(s *supervised, spec platform.Spec, dir string, env map[string]string) error {
	home := d.home(spec.ID)
	if err := os.MkdirAll(filepath.Join(home, "tmp"), 0o700); err != nil {
		return err
	}
	out, err := copylog.Append(home)
	if err != nil {
		return err
	}
	defer out.Close()
	hold, let, err := os.Pipe()
	if err != nil {
		return err
	}
	defer hold.Close()
	defer let.Close()
	ready, tell, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	defer tell.Close()

	argv := d.config.Warden.Command(spec.ID, spec.Limits, append([]string{"/bin/sh", "-c", launcher, "andon-copy"}, spec.Command...))
	//nolint:noctx // a copy outlives whoever starts it
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = make([]string, 0, len(env))
	for _, k := range slices.Sorted(maps.Keys(env)) {
		cmd.Env = append(cmd.Env, k+"="+env[k])
	}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.ExtraFiles = []*os.File{hold, tell}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	tell.Close()
	d.beforeStep("admit")
	cell, err := d.admit(spec, cmd.Process.Pid, ready)
	d.beforeStep("record")
	var p *proc
	if err == nil {
		p, err = d.record(s, spec, dir, cmd.Process.Pid, cell)
	}
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		cell.Remove()
		return err
	}
	d.beforeStep("let")
	if err := cmd.Process.Release(); err != nil { // the watcher reaps it
		d.config.Log.Warn("cannot let go of a started process", "copy", spec.ID, "error", err)
	}
	d.supervise(s, p)
	if _, err := io.WriteString(let, "go\n"); err != nil {
		// The child died before it was let go; the watcher tells how.
		d.config.Log.Warn("a copy ended before its program ran", "copy", spec.ID, "error", err)
	}
	return nil
}

// admit puts the process of a copy under its limits, once it waits.
func (d *Driver) admit(spec platform.Spec, pid int, ready *os.File) (*confine.Cell, error) {
	if err := ready.SetReadDeadline(time.Now().Add(readyTimeout)); err != nil {
		return nil, err
	}
	if n, err := ready.Read(make([]byte, 1)); n == 0 {
		return nil, fmt.Errorf("its process does not get ready, and its log may say why: %w", err)
	}
	return d.config.Warden.Admit(spec.ID, pid, spec.Limits)
}

// record writes down, durably, which process is the copy's, and returns it.
func (d *Driver) record(s *supervised, spec platform.Spec, dir string, pid int, cell *confine.Cell) (*proc, error) {
	id, err := identify(pid)
	if err != nil {
		return nil, err
	}
	p, err := openProc(id)
	if err != nil {
		return nil, err
	}
	rec := record{Spec: spec, Process: id, Dir: dir, Started: time.Now().UTC()}
	if err := writeRecord(d.home(spec.ID), rec, true); err != nil {
		p.close()
		return nil, err
	}
	s.mu.Lock()
	s.record, s.cell = &rec, cell
	s.mu.Unlock()
	return p, nil
}

// environment returns the whole environment of a copy: its own over what every process needs.
func (d *Driver) environment(spec platform.Spec) map[string]string {
	env := maps.Clone(d.config.Environ)
	if env == nil {
		env = make(map[string]string)
	}
	env["TMPDIR"] = filepath.Join(d.home(spec.ID), "tmp")
	maps.Copy(env, spec.Env)
	key, value, _ := strings.Cut(d.mark(spec.ID), "=")
	env[key] = value
	return env
}

// check refuses a specification that can never be started.
func check(spec platform.Spec) error {
	if !spec.ID.Valid() {
		return andon.Errorf(andon.KindInvalid, "%q cannot be the ID of a copy", spec.ID)
	}
	if len(spec.Command) == 0 || spec.Command[0] == "" {
		return andon.Errorf(andon.KindInvalid, "copy %s has no command", spec.ID).
			WithHint("Give the service a command under run: in andon.yaml.")
	}
	for _, arg := range spec.Command {
		if strings.ContainsRune(arg, 0) {
			return andon.Errorf(andon.KindInvalid, "the command of copy %s contains a zero byte", spec.ID)
		}
	}
	for k, v := range spec.Env {
		if k == "" || strings.ContainsAny(k, "=\x00") || strings.ContainsRune(v, 0) {
			return andon.Errorf(andon.KindInvalid, "copy %s has %q in its environment, which no process can have", spec.ID, k)
		}
	}
	return nil
}

// findCommand reports why a command cannot run: there is no such file, or it may not be
// executed. A command with a slash is relative to the artifact, any other is looked for in path.
func findCommand(dir, command, path string) error {
	var candidates []string
	if strings.Contains(command, "/") {
		if !filepath.IsAbs(command) {
			command = filepath.Join(dir, command)
		}
		candidates = []string{command}
	} else {
		for _, p := range filepath.SplitList(path) {
			if !filepath.IsAbs(p) {
				p = filepath.Join(dir, p)
			}
			candidates = append(candidates, filepath.Join(p, command))
		}
	}
	found := ""
	for _, c := range candidates {
		info, err := os.Stat(c)
		if err != nil || info.IsDir() {
			continue
		}
		if info.Mode()&0o111 != 0 {
			return nil
		}
		found = c
	}
	name := strings.TrimPrefix(command, dir+"/")
	if found != "" {
		return andon.Errorf(andon.KindInvalid, "command %s is not executable", name).
			WithHint("Give it the permission in the repository: chmod +x, or git update-index --chmod=+x.")
	}
	return andon.Errorf(andon.KindNotFound, "command not found: %s", name).
		WithHint("See whether the artifact contains it: its path starts at the artifact's root, and PATH is %s.", path)
}
