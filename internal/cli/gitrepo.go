package cli

import (
	"context"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// gitTimeout bounds a question to git about a repository on this machine.
const gitTimeout = 20 * time.Second

// ask returns what git answers about the repository around dir; empty when it has no answer.
func ask(ctx context.Context, dir string, args ...string) string {
	ctx, cancel := context.WithTimeout(ctx, gitTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// topOf returns the top of the working tree around dir, and dir itself outside of one.
func topOf(ctx context.Context, dir string) (top string, inGit bool) {
	if top := ask(ctx, dir, "rev-parse", "--show-toplevel"); top != "" {
		return top, true
	}
	return dir, false
}

// branchOf returns the branch that is checked out; main when that cannot be said.
func branchOf(ctx context.Context, dir string) string {
	return first(ask(ctx, dir, "symbolic-ref", "--quiet", "--short", "HEAD"), "main")
}

// repositoryName returns what people call the repository: the last part of its origin's
// address, or of its directory.
func repositoryName(ctx context.Context, top string) string {
	origin := strings.TrimRight(ask(ctx, top, "config", "--get", "remote.origin.url"), "/")
	if i := strings.LastIndexByte(origin, ':'); i >= 0 && !strings.Contains(origin[i:], "/") {
		origin = origin[i+1:] // HOST:REPOSITORY
	}
	name := strings.TrimSuffix(path.Base(filepath.ToSlash(origin)), ".git")
	if origin == "" || name == "." || name == "/" || name == "" {
		return filepath.Base(top)
	}
	return name
}
