package vcs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
)

// An Entry is a file of a commit.
type Entry struct {
	Path    string // slash-separated, from the root of the repository
	Regular bool   // it is no symbolic link and no submodule
	Size    int64  // in bytes; 0: it is a submodule
	object  string
}

// maxList bounds a list of files, in bytes.
const maxList = 1 << 20

// Entries returns the files of a commit that are one of the paths, or below one. It fails with
// kind andon.KindInvalid when they are too many to be listed.
func (r Repo) Entries(ctx context.Context, id andon.CommitID, paths ...string) ([]Entry, error) {
	if err := checkCommits(id); err != nil {
		return nil, err
	}
	out, err := r.git(ctx, "", maxList, append([]string{"ls-tree", "-r", "-z", "-l", "--full-tree", string(id)}, paths...)...)
	if errors.Is(err, errOutput) {
		return nil, andon.Errorf(andon.KindInvalid, "commit %s has too many files in %s", id.Short(), strings.Join(paths, ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("list the files of a commit: %w", err)
	}
	var entries []Entry
	for line := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if line == "" {
			continue
		}
		about, name, _ := strings.Cut(line, "\t") // MODE TYPE OBJECT SIZE
		fields := strings.Fields(about)
		if len(fields) != 4 {
			return nil, fmt.Errorf("git ls-tree answered %.200q", line)
		}
		e := Entry{Path: name, Regular: strings.HasPrefix(fields[0], "100"), object: fields[2]}
		if fields[1] == "blob" {
			if e.Size, err = strconv.ParseInt(fields[3], 10, 64); err != nil {
				return nil, fmt.Errorf("git ls-tree answered %.200q", line)
			}
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// ReadEntries returns the contents of files, in their order. All of them are held in memory: the
// caller has looked at their sizes.
func (r Repo) ReadEntries(ctx context.Context, entries []Entry) ([][]byte, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	size, names := 0, make([]string, 0, len(entries))
	for _, e := range entries {
		size += int(e.Size)
		names = append(names, e.object)
	}
	const header = 100 // of each object
	objects, err := r.objects(ctx, size+header*len(entries), names...)
	if err != nil {
		return nil, err
	}
	contents := make([][]byte, 0, len(entries))
	for i, o := range objects {
		if o.kind != "blob" {
			return nil, fmt.Errorf("the repository has %s as %s", entries[i].Path, o.kind)
		}
		contents = append(contents, o.data)
	}
	return contents, nil
}
