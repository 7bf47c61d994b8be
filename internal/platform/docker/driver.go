// Package docker runs copies as containers of a Docker Engine, or of a Podman that answers like
// one, on this host.
//
// What there is, the Engine knows: each container carries labels that say whose copy it is.
// The driver keeps beside it, in a directory for each copy, the log that counts on from one
// container of the copy to the next, and a record of what it was. A container runs once: a
// copy that is started again is a new container from the same image.
package docker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform"
	"github.com/andon-cd/andon/internal/platform/copylog"
)

// A Registry is where the images of artifacts come from. Its errors are returned by Start as
// they are.
type Registry interface {
	// Manifest returns the manifest of an artifact, verified against its digest.
	Manifest(ctx context.Context, service andon.ServiceName, artifact andon.Digest) ([]byte, error)
	// Blob opens a part of an artifact that its manifest names. The driver verifies what it reads.
	Blob(ctx context.Context, service andon.ServiceName, part andon.Digest, size int64) (io.ReadCloser, error)
}

// Config says which Engine a Driver uses and how its containers are made.
type Config struct {
	// Dir holds a directory for each copy, and the manifests of images. It is made with mode 0700
	// if it does not exist. One Driver at a time uses it. Its path tells this plant's containers
	// and images from those of others on the same Engine: it must not change.
	Dir string
	// Socket is the path of the Engine's socket.
	Socket   string
	Registry Registry
	// Network is the network of the containers. Empty: host, where a copy listens on its Address
	// itself; on systems other than Linux, where the Engine runs in a machine of its own: bridge. In
	// a network other than host the copy listens on the port that its service names, on all
	// addresses of its container, and the Engine publishes that at its Address and nowhere else.
	Network string
	// User is who a copy is when its image names nobody, as "uid:gid". Empty: DefaultUser.
	User string
	// WritableRoot lets copies write to their file systems. Otherwise they can write to /tmp only.
	WritableRoot bool
	// LogLimit bounds the bytes that the log of one copy takes in Dir. When it is passed, the
	// newest quarter is kept. The Engine keeps up to 32 MiB more. 0: copylog.DefaultLimit.
	LogLimit int64
	Log      *slog.Logger // nil: nothing is logged
}

const (
	// DefaultUser has no rights to anything: it is what images without a user usually take.
	DefaultUser = "65532:65532"

	hostNetwork   = "host"
	bridgeNetwork = "bridge"
)

func ordinaryNetwork() string {
	if runtime.GOOS == "linux" {
		return hostNetwork
	}
	return bridgeNetwork
}

// exitsBuffered is how many exits wait for a reader before further ones are only in List.
const exitsBuffered = 256

// A Driver runs copies as containers. It implements platform.Platform.
type Driver struct {
	config Config
	plant  string // tells this driver's containers from those of others
	engine *engine
	exits  chan andon.InstanceID
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	tasks  sync.WaitGroup // watch, tend, and the followers of logs
	turns  turns          // one caller at a time starts or ends a copy, or loads an image

	mu     sync.Mutex
	copies map[andon.InstanceID]*contained
	closed bool
}

var _ platform.Platform = (*Driver)(nil)

// meetTimeout bounds how long Open waits for the Engine.
const meetTimeout = 20 * time.Second

// Open returns a driver over the directory and the Engine, and adopts the containers that were
// started from it. While the Engine is away, copies that ran when they were last seen are taken
// for running: many engines leave them alone. An error of kind andon.KindRefused says that this
// Engine cannot be used. The goroutines that Open starts end with Close.
func Open(ctx context.Context, config Config) (*Driver, error) {
	if config.Registry == nil {
		return nil, errors.New("docker: Config.Registry is not set")
	}
	dir, err := filepath.Abs(config.Dir)
	if err != nil {
		return nil, fmt.Errorf("docker: %w", err)
	}
	config.Dir = dir
	if !filepath.IsAbs(config.Socket) {
		return nil, andon.Errorf(andon.KindInvalid, "%q is not the path of a container engine's socket", config.Socket)
	}
	if config.Network == "" {
		config.Network = ordinaryNetwork()
	}
	if config.User == "" {
		config.User = DefaultUser
	}
	if config.LogLimit == 0 {
		config.LogLimit = copylog.DefaultLimit
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	for _, sub := range []string{copiesDir, imagesDir} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("docker: %w", err)
		}
	}
	sum := sha256.Sum256([]byte(dir))
	d := &Driver{
		config: config, plant: hex.EncodeToString(sum[:5]), engine: newEngine(config.Socket),
		exits: make(chan andon.InstanceID, exitsBuffered), copies: make(map[andon.InstanceID]*contained),
	}
	d.ctx, d.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := d.recall(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	meeting, cancel := context.WithTimeout(ctx, meetTimeout)
	defer cancel()
	switch err := d.meet(meeting); {
	case err == nil:
	case ctx.Err() == nil && andon.KindOf(err) == andon.KindUnreachable:
		d.config.Log.Warn("the container engine is away: its copies are taken for what they were", "socket", config.Socket, "error", err)
	default:
		return nil, errors.Join(err, d.Close())
	}
	if err := replaceFile(filepath.Join(dir, socketFile), []byte(config.Socket+"\n")); err != nil {
		return nil, errors.Join(fmt.Errorf("docker: %w", err), d.Close())
	}
	d.tasks.Go(d.watch)
	d.tasks.Go(d.tend)
	return d, nil
}

// List implements platform.Platform. It needs no Engine: what runs goes on running without one.
func (d *Driver) List(ctx context.Context) ([]platform.Instance, error) {
	list := make([]platform.Instance, 0)
	for _, c := range d.all() {
		if inst, ok := c.instance(); ok {
			list = append(list, inst)
		}
	}
	slices.SortFunc(list, func(a, b platform.Instance) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return list, nil
}

// Exits implements platform.Platform.
func (d *Driver) Exits() <-chan andon.InstanceID { return d.exits }

// Close implements platform.Platform: it lets go of the copies, which go on running.
func (d *Driver) Close() error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cancel()
	d.tasks.Wait()
	d.engine.close()
	return nil
}

// during returns a context that also ends when the driver closes.
func (d *Driver) during(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(d.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// all returns the copies there are now.
func (d *Driver) all() []*contained {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]*contained, 0, len(d.copies))
	for _, c := range d.copies {
		list = append(list, c)
	}
	return list
}

const (
	copiesDir = "copies" // below Config.Dir: a directory for each copy
	imagesDir = "images" // below it: the manifests of images that were loaded
	// socketFile says in it which Engine the copies belong to.
	socketFile = "socket"
)

// home returns the directory of a copy.
func (d *Driver) home(id andon.InstanceID) string {
	return filepath.Join(d.config.Dir, copiesDir, string(id))
}

// name returns the name of a copy's container, which no other plant's container has.
func (d *Driver) name(id andon.InstanceID) string { return "andon-" + d.plant + "-" + string(id) }

// The labels of a container.
const (
	labelPlant       = "andon.plant"
	labelInstance    = "andon.instance"
	labelService     = "andon.service"
	labelEnvironment = "andon.environment"
	labelVersion     = "andon.version"
	labelArtifact    = "andon.artifact"
	labelConfig      = "andon.config"
	labelAddress     = "andon.address"
)

// ours is the label that every container of this driver has.
func (d *Driver) ours() string { return labelPlant + "=" + d.plant }

// labels says whose container it is, to the next driver and to people.
func (d *Driver) labels(spec platform.Spec) map[string]string {
	return map[string]string{
		labelPlant: d.plant, labelInstance: string(spec.ID),
		labelService: string(spec.Service), labelEnvironment: string(spec.Environment), labelVersion: spec.Version.String(),
		labelArtifact: string(spec.Artifact), labelConfig: string(spec.Config), labelAddress: spec.Address,
	}
}
