package line

import (
	"fmt"

	"github.com/andon-cd/andon/internal/andon"
)

// decide makes a version of a commit that is not known, takes one that reaches the trunk on, and
// does nothing for a commit that is known there already.
func (p Push) decide(d *decision) error {
	if err := p.check(); err != nil {
		return err
	}
	svc := d.s.Services[p.Service]
	if svc == nil {
		if err := checkServiceName(p.Service); err != nil {
			return err
		}
		if err := d.s.nameFree(p.Service); err != nil {
			return err
		}
		d.emit(andon.ServiceAdded{Service: p.Service, Source: withTrunk(p.Source)})
		svc = d.s.Services[p.Service]
	}
	trunk := p.Branch == svc.Source.Trunk
	if v := svc.byCommit(p.Commit); v != nil {
		if trunk && !v.Trunk {
			d.emit(andon.VersionReachedTrunk{Version: v.Ref})
			if v.Maturity == andon.Rejected {
				reason := fmt.Sprintf("%s reached the trunk and had failed before: %s", v.Ref, v.ending())
				d.emit(d.s.redStage(v, andon.CommitStageName, reason, d.now)...)
			}
		}
		return nil
	}
	ref := andon.VersionRef{Service: p.Service, Number: svc.Newest + 1}
	committed := p.Committed.UTC().Round(0)
	if committed.IsZero() {
		committed = d.now // the commit does not say when: no later than its push
	}
	d.emit(andon.VersionCreated{
		Version: ref, Commit: p.Commit, Parent: p.Parent, Branch: p.Branch, Trunk: trunk, Author: p.Author,
		Subject: p.Subject, Tickets: p.Tickets, Committed: committed, Pipeline: p.Pipeline, Problem: p.Problem,
	})
	if p.Problem != nil {
		v := d.s.version(ref)
		d.by = andon.ActorLine
		d.emit(d.s.rejected(v, andon.CommitStageName, andon.Failed, p.Problem.Message, d.now)...)
	}
	return nil
}

func (p Push) check() error {
	switch {
	case p.Branch == "":
		return andon.Errorf(andon.KindInvalid, "a push needs a branch")
	case !p.Commit.Valid():
		return andon.Errorf(andon.KindInvalid, "%q is not a full commit ID", p.Commit)
	case (p.Pipeline == nil) == (p.Problem == nil):
		return andon.Errorf(andon.KindInvalid, "a push has either a pipeline or a problem")
	default:
		return nil
	}
}

func (svc *Service) byCommit(c andon.CommitID) *Version {
	for _, v := range svc.Versions {
		if v.Commit == c {
			return v
		}
	}
	return nil
}

// ending says how the version's way ended, in words.
func (v *Version) ending() string {
	if v.Ended == nil {
		return "it has not ended"
	}
	if v.Ended.Reason == "" {
		return string(v.Ended.Outcome)
	}
	return v.Ended.Reason
}
