// Package platform is the contract between the agent and whatever runs copies on a host:
// supervised processes, Docker, and others. The drivers are in the directories beside it;
// package platformtest holds the suite that each of them passes.
package platform

import (
	"context"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A Spec is everything that a driver needs to run one copy.
type Spec struct {
	ID          andon.InstanceID
	Service     andon.ServiceName
	Environment andon.EnvironmentName
	Version     andon.VersionNumber
	Artifact    andon.Digest
	Config      andon.ConfigHash
	Command     []string          // argv; its working directory is the root of the artifact
	Env         map[string]string // the whole environment but for what every process needs (PATH, HOME)
	Address     string            // host:port the copy listens on, $PORT among Env is its port; empty: a worker
	Port        int               // that the service names: a copy in a network of its own listens on it, and is published at Address
	Limits      andon.Limits      // a driver that cannot keep them does not; its documentation says so
}

// An Instance is a copy as the driver finds it.
type Instance struct {
	ID       andon.InstanceID
	Artifact andon.Digest
	Config   andon.ConfigHash
	Address  string
	Running  bool
	Started  time.Time
	Exit     string // how it ended, in words ("exit status 1", "killed"), when it does not run
}

// A Platform runs copies on one host. Copies outlive the process that started them: a new
// Platform over the same state finds them with List and can stop them.
//
// All methods may be called from several goroutines at once; calls for the same ID are made
// one after the other by the agent. A cancelled context ends the waiting, not the copy.
// An error of kind andon.KindInvalid, KindNotFound or KindRefused is permanent: trying the
// same again fails again. Every other error is worth another try.
type Platform interface {
	// Start makes the copy run and returns it. If a copy of that ID runs already, it is
	// returned as it is. If one of that ID has exited, it is started again. Start returns when
	// the process exists, not when it is healthy. The artifact is fetched and verified first.
	Start(ctx context.Context, spec Spec) (Instance, error)
	// End asks the copy to end, and kills it and all its children after grace. The copy stays
	// known as exited, with its log, and can be started again. It returns when nothing of the
	// copy runs any more; for an unknown ID, at once. Exits does not deliver such an end.
	End(ctx context.Context, id andon.InstanceID, grace time.Duration) error
	// Stop does what End does and then forgets the copy, its log included.
	Stop(ctx context.Context, id andon.InstanceID, grace time.Duration) error
	// List returns every copy that was started and not stopped, running or exited.
	List(ctx context.Context) ([]Instance, error)
	// Exits delivers the IDs of copies that ended by themselves. It is never closed; a slow
	// reader loses nothing that List does not show.
	Exits() <-chan andon.InstanceID
	// Log opens what the copy has written to its standard output and error, from a byte offset
	// that counts from its first start. Reading returns io.EOF at the present end. When older
	// output is gone already, reading starts at what is left: the reader's Offset says where
	// that is. An unknown ID is an error of kind andon.KindNotFound.
	Log(ctx context.Context, id andon.InstanceID, offset int64) (LogReader, error)
	// Close ends the driver's own goroutines. The copies keep running.
	Close() error
}

// A LogReader reads the log of one copy.
type LogReader interface {
	// Read reads on; io.EOF means that there is no more for now.
	Read(p []byte) (int, error)
	// Offset returns the position of the next byte that Read returns.
	Offset() int64
	Close() error
}
