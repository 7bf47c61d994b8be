package vcs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A Commit is what people want to know about one commit.
type Commit struct {
	ID        andon.CommitID
	Parents   []andon.CommitID
	Author    string   // "Name <address>"
	Email     string   // the address alone
	Subject   string   // the first line of the message
	Tickets   []string // that the message names
	Authored  time.Time
	Committed time.Time // UTC; zero: the commit tells no time that can be
}

// maxCommit bounds the size of a commit object that is read.
const maxCommit = 1 << 20

// Commit returns one commit; an error of kind andon.KindNotFound says that there is none.
func (r Repo) Commit(ctx context.Context, id andon.CommitID) (Commit, error) {
	c, _, err := r.CommitFile(ctx, id, "", 0)
	return c, err
}

// ReadFile returns the content of a file of a commit: a path relative to its root, with slashes.
// A symbolic link inside the repository is followed. It fails with kind andon.KindNotFound when
// the commit or the file does not exist, and andon.KindInvalid when it is no regular file or
// has more than limit bytes.
func (r Repo) ReadFile(ctx context.Context, id andon.CommitID, name string, limit int) ([]byte, error) {
	_, data, err := r.CommitFile(ctx, id, name, limit)
	return data, err
}

// CommitFile returns a commit and the content of one of its files with one run of git. When only
// the file is missing or wrong, the commit is returned together with the error.
func (r Repo) CommitFile(ctx context.Context, id andon.CommitID, name string, limit int) (Commit, []byte, error) {
	if err := checkCommits(id); err != nil {
		return Commit{}, nil, err
	}
	names := []string{string(id)}
	if name != "" {
		if path.IsAbs(name) || path.Clean(name) != name || name == ".." || strings.HasPrefix(name, "../") || strings.ContainsAny(name, "\n\x00") {
			return Commit{}, nil, andon.Errorf(andon.KindInvalid, "%q is not a path inside a repository", name)
		}
		names = append(names, string(id)+":"+name)
	}
	objects, err := r.objects(ctx, maxCommit+limit, names...)
	if errors.Is(err, errOutput) {
		return Commit{}, nil, andon.Errorf(andon.KindInvalid, "%s at %s has more than %d bytes", name, id.Short(), limit)
	}
	if err != nil {
		return Commit{}, nil, err
	}
	if objects[0].kind != "commit" {
		return Commit{}, nil, andon.Errorf(andon.KindNotFound, "there is no commit %s", id.Short())
	}
	c := parseCommit(id, objects[0].data)
	if name == "" {
		return c, nil, nil
	}
	switch file := objects[1]; {
	case file.kind == "missing" || file.kind == "dangling" || file.kind == "notdir":
		return c, nil, andon.Errorf(andon.KindNotFound, "there is no %s at commit %s", name, id.Short())
	case file.kind != "blob":
		return c, nil, andon.Errorf(andon.KindInvalid, "%s at commit %s is not a file of the repository", name, id.Short())
	case len(file.data) > limit:
		return c, nil, andon.Errorf(andon.KindInvalid, "%s at commit %s has more than %d bytes", name, id.Short(), limit)
	default:
		return c, file.data, nil
	}
}

// An object is one answer of git cat-file. Its kind is that of the object, or what git says
// instead: missing, dangling, notdir, loop or symlink (which leaves the repository).
type object struct {
	kind string
	data []byte
}

// objects reads objects with one run of git, which prints at most limit bytes more than a little.
func (r Repo) objects(ctx context.Context, limit int, names ...string) ([]object, error) {
	const headers = 4 << 10
	out, err := r.git(ctx, strings.Join(names, "\n")+"\n", limit+maxCommit+headers, "cat-file", "--batch", "--follow-symlinks")
	if err != nil {
		return nil, fmt.Errorf("read objects: %w", err)
	}
	objects := make([]object, 0, len(names))
	for range names {
		header, rest, ok := bytes.Cut(out, []byte("\n"))
		if !ok {
			return nil, fmt.Errorf("git cat-file ended after %d of %d objects", len(objects), len(names))
		}
		fields := strings.Fields(string(header))
		last := fields[len(fields)-1]
		size, err := strconv.Atoi(last)
		switch {
		case last == "missing" || last == "ambiguous":
			objects, out = append(objects, object{kind: "missing"}), rest
			continue
		case err != nil || size < 0 || size+1 > len(rest):
			return nil, fmt.Errorf("git cat-file answered %q", header)
		}
		objects = append(objects, object{kind: fields[len(fields)-2], data: rest[:size]})
		out = rest[size+1:]
	}
	return objects, nil
}

// parseCommit reads a commit object. It cannot fail: git has checked the object's form, and
// what is missing stays empty.
func parseCommit(id andon.CommitID, data []byte) Commit {
	c := Commit{ID: id}
	head, message, _ := strings.Cut(string(data), "\n\n")
	for line := range strings.Lines(head) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch key {
		case "parent":
			c.Parents = append(c.Parents, andon.CommitID(value))
		case "author":
			c.Author, c.Email, c.Authored = parseSignature(value)
		case "committer":
			_, _, c.Committed = parseSignature(value)
		}
	}
	subject, _, _ := strings.Cut(strings.TrimLeft(message, "\n"), "\n")
	c.Subject = strings.ToValidUTF8(strings.TrimSpace(subject), "\uFFFD")
	c.Tickets = andon.TicketsIn(message)
	return c
}

// lastSecond is the last that a time in nanoseconds can have: in the year 2262. Git takes later ones,
// which neither JSON nor the read models can write.
const lastSecond = math.MaxInt64 / int64(time.Second)

// parseSignature reads "Name <address> SECONDS ZONE". Seconds that cannot be are left out: who makes a
// commit writes what they like.
func parseSignature(s string) (who, email string, when time.Time) {
	end := strings.LastIndexByte(s, '>')
	if end < 0 {
		return strings.ToValidUTF8(s, "\uFFFD"), "", time.Time{}
	}
	who = strings.ToValidUTF8(s[:end+1], "\uFFFD")
	if start := strings.LastIndexByte(who, '<'); start >= 0 {
		email = strings.TrimSuffix(who[start+1:], ">")
	}
	if fields := strings.Fields(s[end+1:]); len(fields) > 0 {
		if seconds, err := strconv.ParseInt(fields[0], 10, 64); err == nil && seconds > 0 && seconds < lastSecond {
			when = time.Unix(seconds, 0).UTC()
		}
	}
	return who, email, when
}
