package docker

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform"
	"github.com/andon-cd/andon/internal/platform/copylog"
)

// mostProcesses is how many processes and threads a copy may have whose limits do not say.
const mostProcesses = 4096

// undoTimeout bounds the removal of a container that did not start.
const undoTimeout = 30 * time.Second

// Start implements platform.Platform.
func (d *Driver) Start(ctx context.Context, spec platform.Spec) (platform.Instance, error) {
	if err := check(spec); err != nil {
		return platform.Instance{}, err
	}
	ctx, cancel := d.during(ctx)
	defer cancel()
	c, release, err := d.turn(ctx, spec.ID)
	if err != nil {
		return platform.Instance{}, err
	}
	defer release()
	if c != nil {
		if inst, _ := c.instance(); inst.Running {
			return inst, nil
		}
	}
	version, err := d.engine.known(ctx)
	if err != nil {
		return platform.Instance{}, err
	}
	img, err := d.provide(ctx, spec.Service, spec.Artifact)
	if err != nil {
		return platform.Instance{}, err
	}
	found, err := d.engine.inspect(ctx, d.name(spec.ID))
	switch {
	case err == nil && found.State.Running: // a start whose answer was lost
		inst, _ := d.attach(found).instance()
		return inst, nil
	case err == nil:
		if c != nil {
			if err := d.awaitLog(ctx, c); err != nil {
				return platform.Instance{}, err
			}
		}
		err = d.discard(ctx, found.ID)
	case refusedWith(err, http.StatusNotFound):
		err = nil
	}
	if err != nil {
		return platform.Instance{}, cannotStart(spec, err)
	}
	return d.launch(ctx, c, spec, img, version)
}

// launch starts a container of the copy, which has none. Before is what it was, nil if it is
// new: what it is again if the container does not start.
func (d *Driver) launch(ctx context.Context, before *contained, spec platform.Spec, img image, version engineVersion) (platform.Instance, error) {
	home := d.home(spec.ID)
	if err := os.MkdirAll(home, 0o700); err != nil {
		return platform.Instance{}, cannotStart(spec, err)
	}
	undo := func(id string) {
		undone, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
		defer cancel()
		if err := d.engine.remove(undone, id); err != nil {
			d.config.Log.Warn("cannot remove a container that did not start", "copy", spec.ID, "error", err)
		}
		if before == nil {
			d.forget(spec.ID)
			return
		}
		d.know(before)
	}
	id, warnings, err := d.engine.create(ctx, d.name(spec.ID), d.body(spec, img, version))
	if err != nil {
		undo(d.name(spec.ID))
		return platform.Instance{}, cannotStart(spec, err)
	}
	for _, w := range warnings {
		d.config.Log.Warn("the container engine warns", "copy", spec.ID, "warning", w)
	}
	if version.has(componentInit) {
		err = d.findCommand(ctx, id, spec, img)
	}
	end := int64(0)
	if err == nil {
		end, err = copylog.End(home)
	}
	if err == nil {
		err = writePlace(home, place{Container: id, End: end})
	}
	if err != nil {
		undo(id)
		return platform.Instance{}, cannotStart(spec, err)
	}
	c := &contained{id: spec.ID, running: true, starting: true, before: before, record: record{
		ID: spec.ID, Artifact: spec.Artifact, Config: spec.Config, Address: spec.Address, Container: id, Started: time.Now().UTC(),
	}}
	d.know(c)
	if err := d.engine.start(ctx, id); err != nil {
		undo(id)
		return platform.Instance{}, cannotStart(spec, err)
	}
	found, err := d.engine.inspect(ctx, id)
	c.mu.Lock()
	if err == nil {
		c.record.Started = found.State.StartedAt.UTC()
	}
	c.starting, c.before = false, nil
	rec := c.record
	c.mu.Unlock()
	d.save(rec)
	d.follow(c)
	inst, _ := c.instance()
	d.ask(c) // it may have ended while its end was nobody's to tell
	return inst, nil
}

// body is how a copy's container is made: with the fewest rights that a program can have.
func (d *Driver) body(spec platform.Spec, img image, version engineVersion) containerBody {
	spec, ports := d.publish(spec)
	env := make([]string, 0, len(spec.Env)+1)
	if _, own := spec.Env["TMPDIR"]; !own {
		env = append(env, "TMPDIR=/tmp")
	}
	for _, k := range slices.Sorted(maps.Keys(spec.Env)) {
		env = append(env, k+"="+spec.Env[k])
	}
	user := img.Config.User
	if user == "" {
		user = d.config.User
	}
	b := containerBody{
		Image: img.ID, User: user, Entrypoint: spec.Command, Env: env, Labels: d.labels(spec),
		Healthcheck: healthcheck{Test: []string{"NONE"}}, // the agent asks the copies itself
		HostConfig: hostConfig{
			NetworkMode: d.config.Network, RestartPolicy: restartPolicy{Name: "no"}, // the agent restarts them
			CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"},
			ReadonlyRootfs: !d.config.WritableRoot, Tmpfs: map[string]string{"/tmp": "rw,nosuid,nodev,mode=1777,size=64m"},
			Memory: spec.Limits.Memory, MemorySwap: spec.Limits.Memory, // both together: no swap
			NanoCPUs: int64(spec.Limits.CPU) * 1_000_000, PidsLimit: int64(cmp.Or(spec.Limits.Processes, mostProcesses)),
			Init: version.has(componentInit), LogConfig: version.logConfig(), PortBindings: ports,
		},
	}
	if len(ports) > 0 {
		b.ExposedPorts = make(map[string]struct{}, len(ports))
		for port := range ports {
			b.ExposedPorts[port] = struct{}{}
		}
	}
	return b
}

// publish returns which ports of a copy in a network of its own the Engine publishes, and the
// copy as it listens there: at all addresses, on the port that its service names.
func (d *Driver) publish(spec platform.Spec) (platform.Spec, map[string][]portBinding) {
	host, published, err := net.SplitHostPort(spec.Address)
	if d.config.Network == hostNetwork || err != nil {
		return spec, nil
	}
	inside := published
	if spec.Port > 0 {
		inside = strconv.Itoa(spec.Port)
	}
	spec.Env = maps.Clone(spec.Env)
	if spec.Env["PORT"] == published {
		spec.Env["PORT"] = inside
	}
	if spec.Env["HOST"] == host {
		spec.Env["HOST"] = everyAddress(host)
	}
	return spec, map[string][]portBinding{inside + "/tcp": {{HostIP: host, HostPort: published}}}
}

// everyAddress is the address of its family that stands for all.
func everyAddress(host string) string {
	if strings.Contains(host, ":") {
		return "::"
	}
	return "0.0.0.0"
}

// The Engine's words for how a container is made.
type (
	containerBody struct {
		Image        string
		User         string
		Entrypoint   []string
		Env          []string
		Labels       map[string]string
		Healthcheck  healthcheck
		ExposedPorts map[string]struct{} `json:",omitempty"`
		HostConfig   hostConfig
	}
	hostConfig struct {
		NetworkMode    string
		PortBindings   map[string][]portBinding `json:",omitempty"`
		RestartPolicy  restartPolicy
		CapDrop        []string
		SecurityOpt    []string
		ReadonlyRootfs bool
		Tmpfs          map[string]string
		Memory         int64 `json:",omitempty"`
		MemorySwap     int64 `json:",omitempty"`
		NanoCPUs       int64 `json:"NanoCpus,omitempty"`
		PidsLimit      int64 `json:",omitempty"`
		Init           bool  `json:",omitempty"`
		LogConfig      logConfig
	}
	healthcheck   struct{ Test []string }
	restartPolicy struct{ Name string }
	portBinding   struct {
		HostIP   string `json:"HostIp"`
		HostPort string
	}
	logConfig struct {
		Type   string
		Config map[string]string
	}
)

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

// cannotStart says why a container was not started. What the Engine says of the command is
// permanent; anything else may be different the next time.
func cannotStart(spec platform.Spec, err error) error {
	what := "copy " + string(spec.ID) + " cannot be started"
	r, ok := errors.AsType[*refusal](err)
	if !ok {
		return told(err, what)
	}
	message, command := firstLine(r.message), spec.Command[0]
	switch {
	case strings.Contains(message, "executable file") && strings.Contains(message, "not found"),
		strings.Contains(message, "exec") && strings.Contains(message, "no such file or directory"):
		return notFound(command).Because(err)
	case strings.Contains(message, "exec") && strings.Contains(message, "permission denied"),
		strings.Contains(message, "exec") && strings.Contains(message, "is a directory"):
		return notExecutable(command).Because(err)
	case strings.Contains(message, "exec format error"):
		return andon.Errorf(andon.KindInvalid, "command %s is not a program for this host", command).Because(err).
			WithHint("Build it for this host's operating system and processor.")
	}
	return told(err, what)
}
