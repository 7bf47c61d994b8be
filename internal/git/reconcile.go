package git

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/intake"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/vcs"
)

// removedAge is how long the repository of a removed service is kept.
const removedAge = 30 * 24 * time.Hour

// Reconcile makes the repositories and the line agree after a crash: a tip that was pushed and
// never recorded becomes a version, or is applied if it is the estate's; the repository of a
// removed service is put aside. It is called at start, before pushes are served, once the history has caught up.
func (g *Git) Reconcile(ctx context.Context) error {
	entries, err := os.ReadDir(g.Dir)
	if err != nil {
		return err
	}
	var failed []error
	for _, entry := range entries {
		name, ok := strings.CutSuffix(entry.Name(), ".git")
		if !ok || !andon.ValidName(name) || andon.ServiceName(name) == andon.EstateRepository {
			continue
		}
		if err := g.reconcile(ctx, andon.ServiceName(name)); err != nil {
			failed = append(failed, fmt.Errorf("the repository of %s: %w", name, err))
		}
	}
	if err := g.reconcileEstate(ctx); err != nil {
		failed = append(failed, fmt.Errorf("the repository of the estate: %w", err))
	}
	return errors.Join(append(failed, g.dropRemoved())...)
}

func (g *Git) reconcile(ctx context.Context, service andon.ServiceName) error {
	known, err := g.look(ctx, service)
	switch {
	case err != nil || !known.exists || known.source.URL != "":
		return err
	case !known.there:
		removed, err := g.wasRemoved(ctx, service)
		if err != nil {
			return err
		}
		if removed {
			return g.putAside(service)
		}
	}
	repo := vcs.Repo{Dir: g.dir(service)}
	trunk := known.source.Trunk
	if trunk == "" {
		if trunk, err = repo.DefaultBranch(ctx); err != nil {
			return err
		}
	}
	branches, err := repo.Branches(ctx)
	if err != nil {
		return err
	}
	p := &push{git: g, service: service, dir: repo.Dir, trunk: trunk}
	environments, err := p.environments(ctx)
	if err != nil {
		return err
	}
	for _, branch := range inOrder(branches, trunk, known.there) {
		recorded, err := g.recorded(ctx, service, branches[branch], branch == trunk)
		if err != nil || recorded {
			if err != nil {
				return err
			}
			continue
		}
		announced, _, err := intake.Read(ctx, repo, intake.Tip{Service: service, Branch: branch, Commit: branches[branch]}, environments)
		if err != nil {
			return err
		}
		announced.Source = andon.Source{Trunk: trunk}
		if _, err := g.Engine.Do(ctx, actor(announced.Author), announced); err != nil {
			return err
		}
		g.Log.Info("a push that had not been recorded is recorded now", "service", service, "branch", branch, "commit", branches[branch].Short())
	}
	return nil
}

// inOrder returns the branches in the order in which they are announced: the trunk last, or first
// when it makes the service known.
func inOrder(branches map[string]andon.CommitID, trunk string, known bool) []string {
	names := slices.Sorted(maps.Keys(branches))
	if _, ok := branches[trunk]; !ok {
		return names
	}
	names = slices.DeleteFunc(names, func(b string) bool { return b == trunk })
	if known {
		return append(names, trunk)
	}
	return append([]string{trunk}, names...)
}

// recorded reports whether the plant has a version of a commit; on the trunk, one that counts as
// the trunk's.
func (g *Git) recorded(ctx context.Context, service andon.ServiceName, commit andon.CommitID, trunk bool) (bool, error) {
	v, err := g.History.FindVersion(ctx, service, string(commit))
	switch {
	case err == nil:
		return v.Trunk || !trunk, nil
	case andon.KindOf(err) == andon.KindNotFound:
		return false, nil
	default:
		return false, err
	}
}

// wasRemoved reports whether there once was a service of that name.
func (g *Git) wasRemoved(ctx context.Context, service andon.ServiceName) (removed bool, err error) {
	err = g.Engine.View(ctx, func(s *line.State) { _, removed = s.Removed[service] })
	return removed, err
}

// dropRemoved deletes the repositories that have been put aside for long enough.
func (g *Git) dropRemoved() error {
	dir := filepath.Join(g.Dir, removedDir)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var failed []error
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > removedAge {
			failed = append(failed, os.RemoveAll(filepath.Join(dir, entry.Name())))
		}
	}
	return errors.Join(failed...)
}

// Compact packs the repositories where that is worth it. It may be called at any time.
func (g *Git) Compact(ctx context.Context) error {
	entries, err := os.ReadDir(g.Dir)
	if err != nil {
		return err
	}
	var failed []error
	for _, entry := range entries {
		if name, ok := strings.CutSuffix(entry.Name(), ".git"); ok && andon.ValidName(name) && ctx.Err() == nil {
			failed = append(failed, vcs.Repo{Dir: g.dir(andon.ServiceName(name))}.Compact(ctx))
		}
	}
	return errors.Join(failed...)
}
