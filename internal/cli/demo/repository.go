package demo

import (
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The service's source. The suffix keeps it from being compiled with this program.
//
//go:embed shop edits
var sources embed.FS

const (
	shopName = "shop"
	shopHost = "shop.localhost"
)

// An edit makes the next version: files to write, and one replacement in main.go.
type edit struct {
	subject  string
	files    map[string]string // in the repository: in sources
	old, new string
}

// edits are the versions after the first one.
var edits = map[int]edit{
	2: {subject: "Paint the shop green", old: `"steelblue"`, new: `"seagreen"`},
	3: {subject: "Let the office change the prices", files: map[string]string{"prices.go": "edits/prices-from-file.go.txt", "prices.txt": "edits/prices.txt"}},
	4: {subject: "Bring the prices along in the program", files: map[string]string{"prices.go": "edits/prices-embedded.go.txt"}},
}

// A repository is the service's, with a working tree.
type repository struct {
	dir     string
	program string
	plant   *plant
}

// newRepository makes the repository with its first commit.
func newRepository(ctx context.Context, dir string, p *plant, program string) (*repository, error) {
	r := &repository{dir: dir, program: program, plant: p}
	files, err := firstFiles()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := r.write(files); err != nil {
		return nil, err
	}
	if err := r.git(ctx, "init", "--quiet", "-b", "main"); err != nil {
		return nil, err
	}
	return r, r.commit(ctx, "Open the shop")
}

// firstFiles are the files of the first version: in the repository, and in sources.
func firstFiles() (map[string]string, error) {
	entries, err := sources.ReadDir("shop")
	if err != nil {
		return nil, err
	}
	files := make(map[string]string, len(entries))
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".txt")
		if name == "gitignore" {
			name = ".gitignore"
		}
		files[name] = "shop/" + e.Name()
	}
	return files, nil
}

// edit makes the next version.
func (r *repository) edit(ctx context.Context, version int) error {
	if err := r.apply(edits[version]); err != nil {
		return err
	}
	return r.commit(ctx, edits[version].subject)
}

// apply changes the working tree.
func (r *repository) apply(e edit) error {
	if err := r.write(e.files); err != nil || e.old == "" {
		return err
	}
	path := filepath.Join(r.dir, "main.go")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	changed := strings.Replace(string(text), e.old, e.new, 1)
	return os.WriteFile(path, []byte(changed), 0o644)
}

func (r *repository) write(files map[string]string) error {
	for name, source := range files {
		text, err := sources.ReadFile(source)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(r.dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (r *repository) commit(ctx context.Context, subject string) error {
	if err := r.git(ctx, "add", "--all"); err != nil {
		return err
	}
	return r.git(ctx, "commit", "--quiet", "-m", subject)
}

// push pushes to the plant, as people do: git asks `andon git-credential` for the token.
func (r *repository) push(ctx context.Context) error {
	helper := fmt.Sprintf("!'%s' --data '%s' git-credential", strings.ReplaceAll(r.program, "'", `'\''`), strings.ReplaceAll(r.plant.home.plant(), "'", `'\''`))
	return r.git(ctx, "-c", "credential.helper=", "-c", "credential.helper="+helper, "-c", "http.proxy=",
		"push", "--quiet", r.plant.url+"/git/"+shopName+".git", "main")
}

// head returns the commit that is checked out.
func (r *repository) head() (string, error) {
	text, err := os.ReadFile(filepath.Join(r.dir, ".git", "refs", "heads", "main"))
	return strings.TrimSpace(string(text)), err
}

// gitTimeout bounds one git command.
const gitTimeout = time.Minute

// git runs git without anything of the user's own configuration, so that it does the same everywhere.
func (r *repository) git(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, gitTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", r.dir}, args...)...)
	cmd.WaitDelay = time.Second
	cmd.Env = append(plantEnvironment(r.plant.home),
		"GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Demo", "GIT_AUTHOR_EMAIL=demo@example.com", "GIT_COMMITTER_NAME=Demo", "GIT_COMMITTER_EMAIL=demo@example.com")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w: %s", args[len(args)-1], err, strings.TrimSpace(string(out)))
	}
	return nil
}
