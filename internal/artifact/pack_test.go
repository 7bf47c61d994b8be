package artifact_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/artifact"
)

// A file is one entry of a tree: content, or a link's target.
type file struct {
	content string
	link    string
	mode    os.FileMode // 0: 0644
}

// tree makes the files in a new directory, in the order of names.
func tree(t testing.TB, files map[string]file, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	if len(names) == 0 {
		for name := range files {
			names = append(names, name)
		}
	}
	for _, name := range names {
		f := files[name]
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if f.link != "" {
			err = os.Symlink(f.link, path)
		} else {
			err = os.WriteFile(path, []byte(f.content), 0o644)
			if f.mode != 0 && err == nil {
				err = os.Chmod(path, f.mode)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func pack(t testing.TB, checkout, path string) (*artifact.Packed, error) {
	t.Helper()
	p, err := artifact.Pack(t.Context(), checkout, andon.ArtifactSource{Path: path, Job: "build"}, t.TempDir())
	if err == nil {
		t.Cleanup(func() { _ = p.Close() })
	}
	return p, err
}

func mustPack(t testing.TB, checkout, path string) *artifact.Packed {
	t.Helper()
	p, err := pack(t, checkout, path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPack_GivesTheSameFilesTheSameDigest(t *testing.T) {
	files := map[string]file{
		"out/shop":        {content: "\x7fELF", mode: 0o755},
		"out/static/a.js": {content: "a"},
		"out/static/b.js": {content: "b"},
		"out/static.css":  {content: "c"},
		"out/link":        {link: "static/a.js"},
		"out/ünï":         {content: strings.Repeat("long ", 1000)},
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	first := mustPack(t, tree(t, files, names...), "out")

	// Another order of creation, other times, another umask and other owners' modes.
	rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	again := tree(t, files, names...)
	modes := map[string]os.FileMode{"out/shop": 0o700, "out/static/a.js": 0o640, "out/static": 0o700}
	for name, mode := range modes {
		if err := os.Chmod(filepath.Join(again, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(filepath.Join(again, "out/static/b.js"), time.Now(), time.Unix(1, 2)); err != nil {
		t.Fatal(err)
	}
	if second := mustPack(t, again, "./out/"); second.Digest != first.Digest || second.Size != first.Size || second.Files != first.Files {
		t.Errorf("digests %s and %s", first.Digest, second.Digest)
	}

	if err := os.Chmod(filepath.Join(again, "out/static/b.js"), 0o700); err != nil {
		t.Fatal(err)
	}
	if other := mustPack(t, again, "out"); other.Digest == first.Digest {
		t.Error("whether a file can be executed makes no difference")
	}
}

func TestPack_HasTheSameDigestInEveryRelease(t *testing.T) {
	p := mustPack(t, tree(t, map[string]file{"out/a": {content: "hello\n"}, "out/b/c": {content: "world\n", mode: 0o755}}), "out")
	// A change means that every service gets new digests with the next build, though nothing in it
	// changed. Do it knowingly. (The platform is part of the digest.)
	const golden = "sha256:a58a9d8a6ced95cd45b49a83d1590aa89e9792ecd250933c24f6336c6629a42a"
	if platform() == "linux/amd64" && p.Digest != golden {
		t.Errorf("digest %s, want %s", p.Digest, golden)
	}
}

func TestPack_TakesASingleFile(t *testing.T) {
	p := mustPack(t, tree(t, map[string]file{"target/shop.jar": {content: "jar"}, "target/other": {content: "x"}}), "target/shop.jar")
	if p.Files != 1 {
		t.Errorf("%d files", p.Files)
	}
}

func TestPack_RefusesWhatLeavesTheCheckout(t *testing.T) {
	outside := tree(t, map[string]file{"secret": {content: "s"}})
	for name, tt := range map[string]struct {
		path  string
		files map[string]file
		want  string
	}{
		"a path above":                {"../x", nil, "leaves the checkout"},
		"a path above, hidden":        {"out/../../x", nil, "leaves the checkout"},
		"an absolute path":            {outside, nil, "leaves the checkout"},
		"a link as the path":          {"out", map[string]file{"out": {link: outside}}, "leaves the checkout"},
		"a link in the path":          {"a/secret", map[string]file{"a": {link: outside}}, "leaves the checkout"},
		"a relative link as the path": {"out", map[string]file{"out": {link: "../.."}}, "leaves the checkout"},
		"git's own directory":         {".git", map[string]file{".git/HEAD": {content: "x"}}, "leaves the checkout"},
		"an absolute link inside":     {"out", map[string]file{"out/l": {link: "/etc/passwd"}}, "leads out of it"},
		"a link to above":             {"out", map[string]file{"out/l": {link: "../x"}, "x": {content: "x"}}, "leads out of it"},
		"a link over another link":    {"out", map[string]file{"out/a/b/up": {link: "../.."}, "out/l": {link: "a/b/up/../x"}, "x": {content: "x"}}, "leads out of it"},
		"a missing path":              {"out", nil, "out does not exist after the job build"},
		"an empty directory":          {"out", map[string]file{"out/.git/x": {content: "x"}}, "is empty"},
	} {
		p, err := pack(t, tree(t, tt.files), tt.path)
		if err == nil || andon.KindOf(err) != andon.KindInvalid || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
}

func TestPack_KeepsLinksThatStayInsideAndLeavesGitOut(t *testing.T) {
	checkout := tree(t, map[string]file{
		".git/HEAD": {content: "x"}, "real/a": {content: "a"}, "real/link": {link: "a"}, "real/dangling": {link: "nothing"},
		"real/sub/up": {link: "../a"}, "real/sub/.git/config": {content: "x"}, "real/mod/.git": {content: "gitdir: x"}, "out": {link: "real"},
	})
	cached, _ := roundTrip(t, mustPack(t, checkout, "out"))
	for name, want := range map[string]string{"link": "a", "dangling": "nothing", "sub/up": "../a"} {
		if got, err := os.Readlink(filepath.Join(cached, name)); got != want {
			t.Errorf("%s leads to %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"sub/.git", "mod/.git"} {
		if _, err := os.Lstat(filepath.Join(cached, name)); err == nil {
			t.Errorf("%s was packed", name)
		}
	}
	// The whole checkout can be the artifact.
	whole, _ := roundTrip(t, mustPack(t, tree(t, map[string]file{".git/HEAD": {content: "x"}, "app.py": {content: "a"}}), "."))
	if entries, _ := os.ReadDir(whole); len(entries) != 1 || entries[0].Name() != "app.py" {
		t.Errorf("entries %v", entries)
	}
}

func TestPack_RefusesWhatIsNoFile(t *testing.T) {
	checkout := tree(t, map[string]file{"out/a": {content: "a"}})
	if err := syscall.Mkfifo(filepath.Join(checkout, "out/pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := pack(t, checkout, "out"); err == nil || !strings.Contains(err.Error(), "pipe in the artifact is neither") {
		t.Errorf("error %v", err)
	}
	if _, err := pack(t, checkout, "out/pipe"); err == nil {
		t.Error("a pipe was packed")
	}
}

func TestPack_EndsWithItsContextAndLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	spool := t.TempDir()
	if _, err := artifact.Pack(ctx, tree(t, map[string]file{"out/a": {content: "a"}}), andon.ArtifactSource{Path: "out"}, spool); err == nil {
		t.Error("a cancelled pack succeeded")
	}
	if left, _ := os.ReadDir(spool); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// BenchmarkPack packs 64 MB of something that compresses like a program.
func BenchmarkPack(b *testing.B) {
	files := map[string]file{}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 16 {
		var content strings.Builder
		for content.Len() < 4<<20 {
			fmt.Fprintf(&content, "%x some instructions and a string %d\n", random.Uint64(), random.IntN(1000))
		}
		files[fmt.Sprintf("out/file%d", i)] = file{content: content.String()}
	}
	checkout := tree(b, files)
	b.SetBytes(64 << 20)
	for b.Loop() {
		p, err := artifact.Pack(b.Context(), checkout, andon.ArtifactSource{Path: "out"}, b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		_ = p.Close()
	}
}
