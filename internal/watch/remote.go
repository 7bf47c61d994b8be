package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/engine"
	"github.com/andon-cd/andon/internal/intake"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/secret"
	"github.com/andon-cd/andon/internal/vcs"
)

// seenFile, in the bare repository, holds the tips that the line knows already.
const seenFile = "andon-seen.json"

// A remote is one repository elsewhere, of a service or of the estate, as one goroutine follows it.
type remote struct {
	service andon.ServiceName
	source  andon.Source
	engine  *engine.Engine
	secrets *secret.Store
	dir     string
}

// look asks the repository for its branches, fetches what is new, and announces each new tip.
// What has been announced is noted down afterwards: after a crash in between, it is announced
// again, and the line knows it already.
func (r *remote) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	credential, heads, err := r.heads(ctx)
	if err != nil {
		return err
	}
	seen, err := r.seen()
	if err != nil {
		return err
	}
	if maps.Equal(seen, heads.Branches) {
		return nil
	}
	repo, err := r.repository(ctx)
	if err != nil {
		return err
	}
	if err := repo.Fetch(ctx, r.source.URL, credential); err != nil {
		return err
	}
	branches, err := repo.Branches(ctx) // what was fetched, which may be newer than what was listed
	if err != nil {
		return err
	}
	if err := r.announce(ctx, repo, seen, branches); err != nil {
		return err
	}
	return r.note(branches)
}

// heads asks the repository for its branches, and returns what it let us in with.
func (r *remote) heads(ctx context.Context) (vcs.Credentials, vcs.Heads, error) {
	credential, err := r.secrets.Get(r.service)
	if err != nil {
		return vcs.Credentials{}, vcs.Heads{}, err
	}
	heads, err := vcs.LsRemote(ctx, r.source.URL, credentials(credential))
	return credentials(credential), heads, err
}

// announce tells the line of new tips, the trunk's last: what a branch has built already, the
// trunk need not build again. At the first look only the trunk counts: old branches are history.
func (r *remote) announce(ctx context.Context, repo vcs.Repo, seen, branches map[string]andon.CommitID) error {
	names := slices.Sorted(maps.Keys(branches))
	names = slices.DeleteFunc(names, func(b string) bool {
		return b == r.source.Trunk || branches[b] == seen[b] || seen == nil
	})
	if tip, ok := branches[r.source.Trunk]; ok && tip != seen[r.source.Trunk] {
		names = append(names, r.source.Trunk)
	}
	environments, err := r.environments(ctx)
	if err != nil {
		return err
	}
	for _, branch := range names {
		tip := intake.Tip{Service: r.service, Branch: branch, Commit: branches[branch], Parent: seen[branch]}
		push, _, err := intake.Read(ctx, repo, tip, environments)
		if err != nil {
			return fmt.Errorf("reading the tip of %s: %w", branch, err)
		}
		push.Source = r.source
		if _, err := r.engine.Do(ctx, andon.Actor("git:"+push.Author), push); err != nil {
			return fmt.Errorf("announcing the tip of %s: %w", branch, err)
		}
	}
	return nil
}

func (r *remote) environments(ctx context.Context) (names []andon.EnvironmentName, err error) {
	err = r.engine.View(ctx, func(s *line.State) { names = slices.Sorted(maps.Keys(s.Environments)) })
	return names, err
}

func (r *remote) repository(ctx context.Context) (vcs.Repo, error) {
	if _, err := os.Stat(filepath.Join(r.dir, "HEAD")); err == nil {
		return vcs.Repo{Dir: r.dir}, nil
	}
	return vcs.InitBare(ctx, r.dir)
}

// seen returns the tips that were announced; nil when this is the first look.
func (r *remote) seen() (map[string]andon.CommitID, error) {
	data, err := os.ReadFile(filepath.Join(r.dir, seenFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var seen map[string]andon.CommitID
	if err := json.Unmarshal(data, &seen); err != nil {
		return nil, nil //nolint:nilerr // a damaged note: as at the first look, and the line knows the trunk's tip already
	}
	return seen, nil
}

func (r *remote) note(branches map[string]andon.CommitID) error {
	data, err := json.Marshal(branches)
	if err != nil {
		return err
	}
	file := filepath.Join(r.dir, seenFile)
	f, err := os.OpenFile(file+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}
