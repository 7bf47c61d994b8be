package git

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/vcs"
)

// makeEmpty makes the repository that stands for all services that are not known yet, and whose
// files a new one begins with.
func (g *Git) makeEmpty(ctx context.Context) error {
	if isRepository(g.empty) {
		return nil
	}
	if err := os.RemoveAll(g.empty); err != nil {
		return err
	}
	_, err := vcs.InitBare(ctx, g.empty)
	return err
}

// makeNew makes a repository aside for the first push of a service.
func (g *Git) makeNew(service andon.ServiceName) (string, error) {
	dir := filepath.Join(g.Dir, newDir, rand.Text(), string(service)+".git")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if err := os.CopyFS(dir, os.DirFS(g.empty)); err != nil {
		return "", errors.Join(err, os.RemoveAll(filepath.Dir(dir)))
	}
	return dir, nil
}

// dropNew deletes what is left of a first push that was not accepted.
func (g *Git) dropNew(dir string) {
	if filepath.Dir(filepath.Dir(dir)) != filepath.Join(g.Dir, newDir) {
		if err := os.RemoveAll(dir); err != nil {
			g.Log.Warn("a refused repository could not be deleted", "dir", dir, "err", err)
		}
		return
	}
	if err := os.RemoveAll(filepath.Dir(dir)); err != nil {
		g.Log.Warn("a refused repository could not be deleted", "dir", dir, "err", err)
	}
}

// place puts a new repository where the service's repository belongs. From then on agents find it.
func (p *push) place(ctx context.Context) error {
	if err := (vcs.Repo{Dir: p.dir}).SetDefaultBranch(ctx, p.trunk); err != nil {
		return err
	}
	to := p.git.dir(p.service)
	if known, err := p.git.look(ctx, p.service); err != nil {
		return err
	} else if known.exists && !known.there {
		// What a service of that name left that was removed.
		if err := p.git.putAside(p.service); err != nil {
			return err
		}
	}
	err := os.Rename(p.dir, to)
	if errors.Is(err, fs.ErrExist) || isRepository(to) && err != nil {
		return andon.Errorf(andon.KindConflict, "somebody else pushed %s for the first time just now", p.service).
			WithHint("git fetch, and push again").Because(err)
	}
	if err != nil {
		return fmt.Errorf("putting the repository in its place: %w", err)
	}
	p.dir = to
	return syncDirectory(p.git.Dir)
}

// putAside moves the repository of a removed service away, where it stays for a while.
func (g *Git) putAside(service andon.ServiceName) error {
	dir := filepath.Join(g.Dir, removedDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	name := string(service) + "-" + strconv.FormatInt(time.Now().UnixNano(), 10) + ".git"
	err := os.Rename(g.dir(service), filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// moveBack moves a ref back to where it was, if nobody has moved it since.
func (g *Git) moveBack(ctx context.Context, dir string, m move) error {
	args := []string{"update-ref", "-d", m.ref, string(m.new)}
	if m.old != "" {
		args = []string{"update-ref", m.ref, string(m.old), string(m.new)}
	}
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "GIT_DIR=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
		"GIT_CONFIG_KEY_1=core.hooksPath", "GIT_CONFIG_VALUE_1=" + os.DevNull,
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("git update-ref: %w: %.1000s", err, out)
	}
	return nil
}

func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
