package history_test

import (
	"slices"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
)

func TestExpired_IsWhatNothingKeeps(t *testing.T) {
	t.Parallel()
	var s story
	s.begin()
	for n := 1; n <= 10; n++ {
		s.push(n, "main", andon.Succeeded)
		if n != 4 { // which is still on its way
			s.end(n, andon.Succeeded)
		}
	}
	s.deploy(1, 1, 0, andon.Succeeded)
	s.deploy(2, 2, 1, andon.Succeeded)
	s.deploy(3, 3, 2, andon.Failed)
	s.deploy(4, 5, 2, andon.Succeeded)
	s.deploy(5, 2, 5, andon.Succeeded) // back to 2: it is live
	s.tell("bob", andon.DeploymentPlanned{Plan: andon.Plan{Place: place, ID: "shop.production.6", Release: release(6)}})
	h := told(t, &s)
	now := epoch.Add(24 * time.Hour)

	expired := func(keep history.Retention) (all []andon.VersionNumber) {
		for _, e := range must[[]history.Expired](t)(h.Expired(t.Context(), keep, now, 0)) {
			all = append(all, e.Version.Number)
		}
		return all
	}
	type nums = []andon.VersionNumber
	for _, c := range []struct {
		keep history.Retention
		want nums
	}{
		{history.Retention{}, nums{1, 3, 5, 7, 8, 9, 10}},            // not 2 (live), 4 (on its way), 6 (queued)
		{history.Retention{Releases: 1}, nums{1, 3, 5, 7, 8, 9, 10}}, // the last good one is what is live
		{history.Retention{Releases: 2}, nums{1, 3, 7, 8, 9, 10}},
		{history.Retention{Releases: 3}, nums{3, 7, 8, 9, 10}},
		{history.Retention{Versions: 3}, nums{1, 3, 5, 7}},
		{history.Retention{Versions: 100}, nil},
		{history.Retention{Age: 48 * time.Hour}, nil},
		{history.Retention{Age: 24*time.Hour - 25*time.Second}, nums{1, 3}},
	} {
		if got := expired(c.keep); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.keep, got, c.want)
		}
	}

	all := must[[]history.Expired](t)(h.Expired(t.Context(), history.Retention{}, now, 1))
	if len(all) != 1 || all[0].Artifact != digest(1) || !slices.Equal(all[0].Logs, []string{"task/shop.1.commit.test.1/1", "instance/shop.production.1.0"}) {
		t.Fatalf("version 1: %+v", all)
	}
	before := must[map[andon.ServiceName]map[andon.Digest]bool](t)(h.ReferencedArtifacts(t.Context()))
	if err := h.MarkSwept(t.Context(), []andon.VersionRef{ref(1)}); err != nil {
		t.Fatal(err)
	}
	if got := expired(history.Retention{}); slices.Contains(got, 1) {
		t.Errorf("version 1 is swept and said again: %v", got)
	}
	after := must[map[andon.ServiceName]map[andon.Digest]bool](t)(h.ReferencedArtifacts(t.Context()))
	if !before["shop"][digest(1)] || after["shop"][digest(1)] || !after["shop"][digest(2)] || len(after["shop"]) != 9 {
		t.Errorf("referenced before: %v, after: %v", before, after)
	}
}

func TestExpired_NamesASharedArtifactWithTheLastToGo(t *testing.T) {
	t.Parallel()
	var s story
	s.begin()
	for n := 1; n <= 4; n++ {
		s.push(n, "main", andon.Succeeded)
		s.tell(andon.ActorLine, andon.StageFinished{Version: ref(n), Stage: "commit", Run: 1, Outcome: andon.Succeeded,
			Artifact: &andon.Artifact{Digest: digest(7)}})
		s.end(n, andon.Succeeded)
	}
	h := told(t, &s)
	now := epoch.Add(time.Hour)
	artifacts := func(keep history.Retention, limit int) (all []andon.Digest, refs []andon.VersionRef) {
		for _, e := range must[[]history.Expired](t)(h.Expired(t.Context(), keep, now, limit)) {
			all, refs = append(all, e.Artifact), append(refs, e.Version)
		}
		return all, refs
	}
	if got, _ := artifacts(history.Retention{Versions: 1}, 0); !slices.Equal(got, []andon.Digest{"", "", ""}) {
		t.Errorf("version 4 is kept, and its artifact goes: %q", got)
	}
	if got, _ := artifacts(history.Retention{}, 0); !slices.Equal(got, []andon.Digest{"", "", "", digest(7)}) {
		t.Errorf("all go: %q", got)
	}
	// The same in two sweeps.
	got, refs := artifacts(history.Retention{}, 2)
	if !slices.Equal(got, []andon.Digest{"", ""}) {
		t.Errorf("the first two go: %q", got)
	}
	if err := h.MarkSwept(t.Context(), refs); err != nil {
		t.Fatal(err)
	}
	if got, _ := artifacts(history.Retention{}, 2); !slices.Equal(got, []andon.Digest{"", digest(7)}) {
		t.Errorf("the last two go: %q", got)
	}
}
