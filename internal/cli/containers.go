package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/artifact"
	"github.com/andon-cd/andon/internal/platform"
	"github.com/andon-cd/andon/internal/platform/docker"
	"github.com/andon-cd/andon/internal/server"
)

// containerFlags say which container engine of a host runs copies, and how.
type containerFlags struct {
	Docker        string `placeholder:"SOCKET" help:"The socket of the Docker or Podman that runs copies where an environment says platform: docker; none: nothing does. (default: the one that is found)"`
	DockerNetwork string `name:"docker-network" placeholder:"NAME" help:"The network of containers: host, bridge, or one that you made. (default: host)"`
}

// noEngine is the word for doing without containers.
const noEngine = "none"

// socket returns the engine that was named, by a flag or in the environment: its socket, noEngine,
// or nothing.
func (f *containerFlags) socket(c *call) (string, error) {
	named := strings.TrimPrefix(first(f.Docker, c.getenv("ANDON_DOCKER")), "unix://")
	if named == "" || named == noEngine {
		return named, nil
	}
	if strings.Contains(named, "://") {
		return "", usage(fmt.Sprintf("%q is no socket of a container engine on this host", named),
			"Name a path, as in --docker /var/run/docker.sock; an engine elsewhere gets an agent of its own.")
	}
	return filepath.Abs(named)
}

// containers returns what opens the platform of containers. An engine that was named, or that
// has copies already, may be away for now; any other must answer.
func (f *containerFlags) containers(c *call) (func(context.Context, string, artifact.Remote, *slog.Logger) (platform.Platform, error), error) {
	named, err := f.socket(c)
	if err != nil || named == noEngine {
		return nil, err
	}
	return func(ctx context.Context, dir string, images artifact.Remote, log *slog.Logger) (platform.Platform, error) {
		socket := first(named, docker.Left(dir))
		if socket == "" {
			found, ok := findEngine(ctx, c.getenv, log)
			if !ok {
				return nil, nil //nolint:nilnil // the host has none, as the contract says
			}
			socket = found.Socket
		}
		d, err := docker.Open(ctx, docker.Config{Dir: dir, Socket: socket, Registry: images, Network: f.DockerNetwork, Log: log})
		if err != nil {
			return nil, err // and no driver that is there but nil
		}
		return d, nil
	}, nil
}

// findEngine returns the first engine of this host that answers.
func findEngine(ctx context.Context, getenv func(string) string, log *slog.Logger) (docker.Found, bool) {
	for _, socket := range docker.Sockets(getenv) {
		found, err := docker.Ask(ctx, socket)
		if err == nil {
			return found, true
		}
		log.Info("a container engine is not used", "socket", socket, "error", err)
	}
	return docker.Found{}, false
}

// openLeft opens the driver of the containers that a directory's agent has left; nil: there are
// none.
func openLeft(ctx context.Context, d server.Directory, log *slog.Logger) (platform.Platform, error) {
	socket := docker.Left(d.Containers())
	if socket == "" {
		return nil, nil //nolint:nilnil // nothing to open
	}
	if _, err := docker.Ask(ctx, socket); err != nil {
		return nil, andon.Errorf(andon.KindOf(err), "copies of %s are containers, and their engine at %s cannot be asked to end them", d, socket).
			WithHint("Start Docker or Podman, and run this again.").Because(err)
	}
	opened, err := docker.Open(ctx, docker.Config{Dir: d.Containers(), Socket: socket, Registry: artifact.Remote{}, Log: log})
	if err != nil {
		return nil, err // and no driver that is there but nil
	}
	return opened, nil
}

// checkEngine looks for what could run containers. Nothing needs it but environments that say
// platform: docker.
func checkEngine(c *call, flags containerFlags) (finding, error) {
	f := finding{Check: "containers", OK: true}
	named, err := flags.socket(c)
	if err != nil {
		return f, err
	}
	sockets := []string{named}
	switch named {
	case noEngine:
		f.Found = "No container engine is to be used."
		return f, nil
	case "":
		sockets = docker.Sockets(c.getenv)
	}
	var trouble error
	for _, socket := range sockets {
		found, err := docker.Ask(c.ctx, socket)
		if err == nil {
			f.Found = fmt.Sprintf("%s %s answers at %s: environments with platform: docker can run here.", found.Product, found.Version, found.Socket)
			return f, nil
		}
		if trouble == nil {
			trouble = err
		}
	}
	problem, _ := errors.AsType[*andon.Error](trouble)
	switch {
	case trouble == nil:
		f.Found = "No Docker or Podman is found: environments with platform: docker cannot run here, all others can."
	case problem != nil:
		f.OK, f.Found, f.Advice = named == "", capital(problem.Message)+".", problem.Hint
	default:
		f.OK, f.Found = named == "", trouble.Error()
	}
	return f, nil
}
