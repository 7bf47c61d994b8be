// Package intake reads a commit the way the line wants to know it: who made it, and the pipeline
// in its andon.yaml or what is wrong with that. It reads the commits of the estate, too.
package intake

import (
	"context"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/pipeline"
	"github.com/andon-cd/andon/internal/vcs"
)

// File is the name of the file that makes a repository a service.
const File = "andon.yaml"

// maxFile bounds what is read of it; the parser refuses what is larger than it takes.
const maxFile = 1 << 20

// A Tip is the newest commit of a branch.
type Tip struct {
	Service andon.ServiceName
	Branch  string
	Commit  andon.CommitID
	Parent  andon.CommitID // the tip before; empty for a new branch
}

// Read returns the command that announces a tip. The command has a Problem where the commit has
// no valid pipeline; all problems are returned beside it, for whoever can still refuse the commit.
// The error says that the commit itself cannot be read.
func Read(ctx context.Context, repo vcs.Repo, tip Tip, environments []andon.EnvironmentName) (line.Push, []*andon.Error, error) {
	commit, source, err := repo.CommitFile(ctx, tip.Commit, File, maxFile)
	push := line.Push{
		Service: tip.Service, Branch: tip.Branch, Commit: tip.Commit, Parent: tip.Parent,
		Author: commit.Author, Subject: commit.Subject, Tickets: commit.Tickets, Committed: commit.Committed,
	}
	if commit.ID == "" {
		return line.Push{}, nil, err
	}
	var problems []*andon.Error
	switch kind := andon.KindOf(err); {
	case err == nil:
		push.Pipeline, problems = parse(tip.Service, source, environments)
	case kind == andon.KindNotFound:
		problems = []*andon.Error{andon.Errorf(andon.KindInvalid, "commit %s has no %s", tip.Commit.Short(), File).
			WithHint("run `andon init` in the repository, commit the file, and push again")}
	case kind == andon.KindInvalid:
		problems = []*andon.Error{andon.Errorf(andon.KindInvalid, "%s of commit %s is not a file that can be read", File, tip.Commit.Short())}
	default:
		return line.Push{}, nil, err
	}
	if len(problems) > 0 {
		push.Pipeline, push.Problem = nil, problems[0]
	}
	return push, problems, nil
}

// parse reads the pipeline, which must be the one of the service whose repository holds it.
func parse(service andon.ServiceName, source []byte, environments []andon.EnvironmentName) (*andon.Pipeline, []*andon.Error) {
	parsed, problems := pipeline.Parse(File, source, environments)
	if len(problems) == 0 && parsed.Service != service {
		problems = []*andon.Error{andon.Errorf(andon.KindInvalid, "%s is for the service %q, and this is the repository of %q", File, parsed.Service, service).
			WithHint("write `service: %s`, or use the repository of %s", service, parsed.Service)}
	}
	return parsed, problems
}
