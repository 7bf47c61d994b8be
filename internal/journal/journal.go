package journal

import (
	"context"
	"iter"

	"github.com/andon-cd/andon/internal/andon"
)

// A Journal is an open journal. One process appends to it at a time. Its methods may be called
// from several goroutines, Close last.
//
// A journal that is not what was once appended is refused with an *andon.Error whose chain holds
// a *Damage, which names the first bad event.
type Journal interface {
	// Append adds events after the event prev (0: to an empty journal), all of them or none, and
	// returns them with their Seq and their Time in UTC. When it returns without an error, they
	// survive a loss of power.
	//
	// When prev is not the head, it fails with andon.KindConflict. When the storage is full, it
	// fails with andon.KindUnavailable, and the journal is as it was: a later Append may succeed.
	// An append that has begun is not cancelled by ctx, so that its answer is always the truth.
	Append(ctx context.Context, prev andon.Seq, events []andon.Event) ([]andon.Event, error)

	// Head returns the position of the last event; 0 for an empty journal.
	Head(ctx context.Context) (andon.Seq, error)

	// Read yields the events after a position, in order, up to limit of them (0: to the head as
	// it is when the reading gets there). It checks the chain and stops at the first error. A
	// position beyond the head is an andon.KindConflict. The consumer may take its time: no
	// transaction is held open for it.
	Read(ctx context.Context, after andon.Seq, limit int) iter.Seq2[andon.Event, error]

	// SaveSnapshot keeps a snapshot of the state as of the event s.Seq, which must exist. The
	// newest two are kept.
	SaveSnapshot(ctx context.Context, s Snapshot) error

	// Snapshot returns the newest snapshot that is intact and belongs to this journal; false
	// when there is none. A damaged snapshot is no error, since replay makes up for it.
	Snapshot(ctx context.Context) (Snapshot, bool, error)

	// Verify reads everything, checks every link of the chain and decodes every event. It calls
	// report (which may be nil) now and then, and once at the end.
	Verify(ctx context.Context, report func(Progress)) error

	// Backup writes a copy of the journal to a file that does not exist yet: consistent,
	// complete up to some event, and durable. Appends go on meanwhile.
	Backup(ctx context.Context, dst string) error

	// Close ends the journal. What was appended is durable already.
	Close() error
}

// A Snapshot is the state as of one event, encoded by its owner.
type Snapshot struct {
	Seq    andon.Seq // of the last event that is in the state
	Format int       // the owner's; a snapshot of another format is not read
	Data   []byte
}

// Progress says how far a verification is.
type Progress struct {
	Verified andon.Seq // every event up to this one is as it was appended
	Head     andon.Seq // the last one to verify
}
