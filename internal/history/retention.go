package history

import (
	"context"
	"database/sql"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A Retention says what is kept. A version is kept while any of these holds: it is among the
// newest Versions of its service; it is younger than Age; it is live somewhere; it is among the
// last Releases good ones of a place; or its way, a task or a deployment of it has not ended.
type Retention struct {
	Versions int
	Age      time.Duration
	Releases int
}

// An Expired version is one that nothing keeps any more. What it says may be deleted.
type Expired struct {
	Version  andon.VersionRef
	Logs     []string     // streams of its tasks and copies
	Artifact andon.Digest // empty: none, or another version that is kept has the same one
}

// expired is the condition of a version v that nothing keeps. ?1 is the time before which it
// must have been created, ?2 and ?3 are Versions and Releases.
const expired = `v.created < ?1 AND v.ended <> 0
	AND v.number <= (SELECT newest FROM service WHERE name = v.service) - ?2
	AND NOT EXISTS (SELECT 1 FROM live l WHERE l.service = v.service AND l.version = v.number)
	AND NOT EXISTS (SELECT 1 FROM task t WHERE t.service = v.service AND t.number = v.number AND t.ended = 0)
	AND NOT EXISTS (SELECT 1 FROM deployment d WHERE d.service = v.service AND d.version = v.number AND d.ended = 0)
	AND NOT EXISTS (SELECT 1 FROM good g INDEXED BY good_by_version WHERE g.service = v.service AND g.version = v.number AND ?3 > 0
		AND g.seq >= coalesce((SELECT n.seq FROM good n INDEXED BY good_by_seq WHERE n.service = g.service AND n.environment = g.environment
			ORDER BY n.seq DESC LIMIT 1 OFFSET ?3 - 1), 0))`

// Expired returns up to limit versions, by service and number, that the retention does not keep
// and that were not marked as swept. It decides and deletes nothing. An artifact that versions
// share is named with the last of them to go.
func (h *History) Expired(ctx context.Context, keep Retention, now time.Time, limit int) ([]Expired, error) {
	args := []any{nanos(now.Add(-keep.Age)), max(0, keep.Versions), max(0, keep.Releases), pageSize(limit)}
	gone, err := query(ctx, h.store, func(r *sql.Rows) (c candidate, err error) {
		return c, r.Scan(&c.Version.Service, &c.Version.Number, &c.Artifact, &c.sharers)
	}, `SELECT v.service, v.number, v.artifact,
			(SELECT count(*) FROM version o INDEXED BY version_by_artifact WHERE o.artifact = v.artifact AND o.artifact <> '' AND o.service = v.service AND o.swept = 0)
		FROM version v WHERE v.swept = 0 AND `+expired+` ORDER BY v.service, v.number LIMIT ?4`, args...)
	if err != nil {
		return nil, err
	}
	all := releaseArtifacts(gone)
	for i := range all {
		if all[i].Logs, err = h.logs(ctx, all[i].Version); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// A candidate is an expired version with how many versions, itself included, have its artifact.
type candidate struct {
	Expired
	sharers int
}

// releaseArtifacts names an artifact with the last of the versions that have it, if all of them
// go; otherwise with none.
func releaseArtifacts(gone []candidate) []Expired {
	type artifact struct {
		service andon.ServiceName
		digest  andon.Digest
	}
	going := make(map[artifact]int)
	all := make([]Expired, 0, len(gone))
	for _, c := range gone {
		key := artifact{c.Version.Service, c.Artifact}
		if going[key]++; going[key] < c.sharers {
			c.Artifact = ""
		}
		all = append(all, c.Expired)
	}
	return all
}

// logs returns the streams that the tasks and copies of a version wrote.
func (h *History) logs(ctx context.Context, v andon.VersionRef) ([]string, error) {
	tasks, err := query(ctx, h.store, func(r *sql.Rows) (string, error) {
		var (
			id      andon.TaskID
			attempt int
		)
		err := r.Scan(&id, &attempt)
		return andon.TaskLogStream(id, attempt), err
	}, `SELECT a.task, a.attempt FROM task t JOIN attempt a ON a.task = t.id
		WHERE t.service = ? AND t.number = ? ORDER BY t.seq, a.attempt`, v.Service, v.Number)
	if err != nil {
		return nil, err
	}
	copies, err := query(ctx, h.store, func(r *sql.Rows) (string, error) {
		var id andon.InstanceID
		err := r.Scan(&id)
		return andon.InstanceLogStream(id), err
	}, `SELECT id FROM copy WHERE service = ? AND version = ? ORDER BY id`, v.Service, v.Number)
	return append(tasks, copies...), err
}

// MarkSwept notes that what Expired said of versions is deleted, so that it is not said again.
// The note is not made from events: a history that is made again says it all once more, and
// deleting what is gone is no error.
func (h *History) MarkSwept(ctx context.Context, versions []andon.VersionRef) error {
	return h.store.tx(ctx, func(ctx context.Context) error {
		for _, v := range versions {
			if err := h.store.exec(ctx, `UPDATE version SET swept = 1 WHERE service = ? AND number = ?`, v.Service, v.Number); err != nil {
				return err
			}
		}
		return nil
	})
}

// ReferencedArtifacts returns the digests, by service, of all versions that are not swept: what a
// sweep over the registry must leave alone.
func (h *History) ReferencedArtifacts(ctx context.Context) (map[andon.ServiceName]map[andon.Digest]bool, error) {
	type row struct {
		service andon.ServiceName
		digest  andon.Digest
	}
	rows, err := query(ctx, h.store, func(r *sql.Rows) (o row, err error) {
		return o, r.Scan(&o.service, &o.digest)
	}, `SELECT service, artifact FROM version WHERE artifact <> '' AND swept = 0
		UNION SELECT service, artifact FROM live
		UNION SELECT service, artifact FROM deployment WHERE ended = 0`)
	if err != nil {
		return nil, err
	}
	all := make(map[andon.ServiceName]map[andon.Digest]bool)
	for _, o := range rows {
		if all[o.service] == nil {
			all[o.service] = make(map[andon.Digest]bool)
		}
		all[o.service][o.digest] = true
	}
	return all, nil
}
