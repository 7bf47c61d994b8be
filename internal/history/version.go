package history

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A VersionSummary is one version as lists show it.
type VersionSummary struct {
	andon.VersionRef
	Commit       andon.CommitID
	Parent       andon.CommitID
	Branch       string
	Trunk        bool // it may be promoted
	Author       string
	Subject      string
	Committed    time.Time
	Created      time.Time
	CreatedBy    andon.Actor
	Problem      *andon.Error // why it has no pipeline
	Maturity     andon.Maturity
	Artifact     *andon.Artifact // nil: not built
	Ended        time.Time       // zero: it is on its way
	Outcome      andon.Outcome   // of its way, once it ended
	Reason       string
	SupersededBy andon.VersionNumber
}

// A VersionFilter selects versions. Empty fields select all.
type VersionFilter struct {
	Service  andon.ServiceName // required
	Branch   string
	Maturity andon.Maturity
	Before   andon.VersionNumber // only older ones; the last number of a page leads to the next page
	Limit    int                 // 0: DefaultPage; at most MaxPage
}

func (r recorder) versionCreated(b andon.VersionCreated) error {
	var pipeline, problem any
	if b.Pipeline != nil {
		d, err := document(b.Pipeline)
		if err != nil {
			return err
		}
		hash := sha256.Sum256([]byte(d))
		if err := r.exec(`INSERT OR IGNORE INTO pipeline (hash, doc) VALUES (?, ?)`, hash[:], d); err != nil {
			return err
		}
		pipeline = hash[:]
	}
	maturity := andon.Development
	if b.Problem != nil {
		d, err := document(b.Problem)
		if err != nil {
			return err
		}
		problem, maturity = d, andon.Rejected
	}
	inTrunk := andon.Seq(0)
	if b.Trunk {
		inTrunk = r.event.Seq
	}
	err := r.exec(`INSERT OR REPLACE INTO version (service, number, commit_id, parent, branch, trunk, author, subject, committed,
			created, created_by, problem, maturity, place_in_trunk, pipeline)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT id FROM pipeline WHERE hash = ?))`,
		b.Version.Service, b.Version.Number, b.Commit, b.Parent, b.Branch, b.Trunk, b.Author, b.Subject, nanos(b.Committed),
		r.now(), r.event.By, problem, maturity, inTrunk, pipeline)
	if err != nil {
		return err
	}
	if err := r.versionMentions(b); err != nil {
		return err
	}
	return r.exec(`UPDATE service SET newest = max(newest, ?) WHERE name = ?`, b.Version.Number, b.Version.Service)
}

func (r recorder) versionReachedTrunk(b andon.VersionReachedTrunk) error {
	return r.exec(`UPDATE version SET trunk = 1, place_in_trunk = ? WHERE service = ? AND number = ?`,
		r.event.Seq, b.Version.Service, b.Version.Number)
}

func (r recorder) versionEnded(b andon.VersionEnded) error {
	return r.exec(`UPDATE version SET ended = ?, outcome = ?, reason = ?, superseded_by = ? WHERE service = ? AND number = ?`,
		r.now(), b.Outcome, b.Reason, b.By, b.Version.Service, b.Version.Number)
}

// versionGoesOn takes back that a version's way ended: a rerun or a promotion opened it again, and
// it may write logs and an artifact anew.
func (r recorder) versionGoesOn(v andon.VersionRef) error {
	return r.exec(`UPDATE version SET ended = 0, outcome = '', reason = '', superseded_by = 0, swept = 0
		WHERE service = ? AND number = ? AND ended <> 0`, v.Service, v.Number)
}

const selectVersion = `SELECT service, number, commit_id, parent, branch, trunk, author, subject, committed, created, created_by,
	problem, maturity, artifact, size, ended, outcome, reason, superseded_by FROM version `

func scanVersion(r *sql.Rows) (v VersionSummary, err error) {
	var a andon.Artifact
	err = r.Scan(&v.Service, &v.Number, &v.Commit, &v.Parent, &v.Branch, &v.Trunk, &v.Author, &v.Subject, at{&v.Committed},
		at{&v.Created}, &v.CreatedBy, doc{&v.Problem}, &v.Maturity, &a.Digest, &a.Size,
		at{&v.Ended}, &v.Outcome, &v.Reason, &v.SupersededBy)
	if a.Digest != "" {
		v.Artifact = &a
	}
	return v, err
}

// Versions returns a page of the versions of a service, newest first.
func (h *History) Versions(ctx context.Context, f VersionFilter) ([]VersionSummary, error) {
	// Without statistics SQLite takes the primary key for good enough, so the index is named.
	index, where, args := "", `WHERE service = ?`, []any{f.Service}
	if f.Branch != "" {
		index, where, args = `INDEXED BY version_by_branch `, where+` AND branch = ?`, append(args, f.Branch)
	}
	if f.Maturity != "" {
		index, where, args = `INDEXED BY version_by_maturity `, where+` AND maturity = ?`, append(args, f.Maturity)
	}
	if f.Before > 0 {
		where, args = where+` AND number < ?`, append(args, f.Before)
	}
	return query(ctx, h.store, scanVersion, selectVersion+index+where+` ORDER BY number DESC LIMIT ?`, append(args, pageSize(f.Limit))...)
}

// FindVersion returns the version of a service whose commit begins with a prefix of at least four
// hexadecimal digits: andon.KindNotFound without one, andon.KindInvalid when there are several.
func (h *History) FindVersion(ctx context.Context, service andon.ServiceName, prefix string) (VersionSummary, error) {
	if !andon.BeginsCommit(prefix) {
		return VersionSummary{}, andon.Errorf(andon.KindInvalid, "%.70q is not the beginning of a commit", prefix).
			WithHint("give at least four hexadecimal digits of the commit, in lower case")
	}
	// "g" sorts behind every hexadecimal digit, so the range holds all that begin with the prefix.
	found, err := query(ctx, h.store, scanVersion,
		selectVersion+`INDEXED BY version_by_commit WHERE service = ? AND commit_id >= ? AND commit_id < ? ORDER BY commit_id, number DESC LIMIT 10`, service, prefix, prefix+"g")
	switch {
	case err != nil:
		return VersionSummary{}, err
	case len(found) == 0:
		return VersionSummary{}, andon.Errorf(andon.KindNotFound, "no version of %s is of a commit %s", service, prefix)
	case found[0].Commit != found[len(found)-1].Commit:
		return VersionSummary{}, andon.Errorf(andon.KindInvalid, "several commits of %s begin with %s", service, prefix).
			WithHint("give more digits")
	}
	return found[0], nil
}

func (h *History) versionSummary(ctx context.Context, v andon.VersionRef) (VersionSummary, error) {
	s, err := queryOne(ctx, h.store, scanVersion, selectVersion+`WHERE service = ? AND number = ?`, v.Service, v.Number)
	if errors.Is(err, errNone) {
		return VersionSummary{}, andon.Errorf(andon.KindNotFound, "there is no version %s", v).
			WithHint("`andon status %s` shows the versions that there are", v.Service)
	}
	return s, err
}
