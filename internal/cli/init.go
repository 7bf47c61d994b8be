package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/pipeline"
)

type initCmd struct {
	Dir     string `arg:"" optional:"" default:"." help:"Somewhere in the repository."`
	Service string `placeholder:"NAME" help:"The name of the service; the repository's name if left out."`
	Force   bool   `help:"Replace the andon.yaml that is there."`
}

// An initialised is what `andon init --json` prints.
type initialised struct {
	File       string `json:"file"`
	Service    string `json:"service"`
	Kind       string `json:"kind"`
	Push       string `json:"push"`
	Credential string `json:"credential_helper"`
}

// kindWords say what a repository was taken for.
var kindWords = map[pipeline.Kind]string{
	pipeline.KindGo: "a Go module", pipeline.KindNode: "a Node package", pipeline.KindPython: "Python",
	pipeline.KindStatic: "a static site", pipeline.KindOther: "something unknown: fill in how it is tested and run",
}

// Run writes an andon.yaml at the top of the repository, and says what to do next.
func (cmd *initCmd) Run(c *call) error {
	if cmd.Service != "" && !andon.ValidName(cmd.Service) {
		return usage(fmt.Sprintf("%q cannot be the name of a service", cmd.Service), capital(andon.NameRule)+".")
	}
	dir, err := filepath.Abs(cmd.Dir)
	if err != nil {
		return err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return andon.Errorf(andon.KindNotFound, "there is no directory %s", cmd.Dir).WithHint("Stand in the repository, or name one.")
	}
	top, inGit := topOf(c.ctx, dir)
	found := survey(top, first(cmd.Service, repositoryName(c.ctx, top)))
	text := pipeline.Init(found)
	parsed, problems := pipeline.Parse(pipelineFile, text, plantEnvironments())
	if len(problems) > 0 {
		return fmt.Errorf("what init wrote is not valid: %w", problems[0])
	}
	path := filepath.Join(top, pipelineFile)
	if err := cmd.write(path, text); err != nil {
		return err
	}
	answer := initialised{File: path, Service: string(parsed.Service), Kind: string(found.Kind())}
	p, known := c.likelyPlant()
	answer.Push = fmt.Sprintf("git push %s/git/%s.git %s", p.URL, answer.Service, branchOf(c.ctx, top))
	answer.Credential = credentialLine(p.URL, p.Dir)
	if c.json {
		c.sayJSON(c.out, answer)
		return nil
	}
	fmt.Fprintf(c.out, "Wrote %s for the service %s (%s).\n", path, answer.Service, kindWords[found.Kind()])
	for _, other := range found.Besides() {
		fmt.Fprintf(c.out, "There is %s as well: say in its jobs how that is built and tested.\n", kindWords[other])
	}
	fmt.Fprint(c.out, "\nNext:\n")
	var next table
	if !inGit {
		next.row("git init -b main", "# a service is a git repository")
	}
	next.row("andon run", "# the commit stage, here and now")
	next.row("git add . && git commit -m 'Add the way to production'", "")
	if !known {
		next.row("andon server", "# a plant, in another terminal")
	}
	next.row(answer.Push, "# makes it version 1")
	next.write(c.out, "  ")
	fmt.Fprintf(c.out, "\nSo that git signs in by itself:\n  %s\n", answer.Credential)
	return nil
}

// write writes the file, and never over one that is there unless it is told to.
func (cmd *initCmd) write(path string, text []byte) error {
	how := os.O_CREATE | os.O_WRONLY | os.O_EXCL
	if cmd.Force {
		how = os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	}
	f, err := os.OpenFile(path, how, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return andon.Errorf(andon.KindConflict, "there is a %s already", path).
			WithHint("See whether it is right with `andon check`, or replace it with --force.").Because(err)
	}
	if err == nil {
		_, err = f.Write(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return andon.Errorf(andon.KindInvalid, "%s cannot be written: %s", path, reason(err)).Because(err)
	}
	return nil
}

// defaultAddress is where a plant listens that was told nothing else.
const defaultAddress = "http://" + defaultListen

// likelyPlant returns the plant that hints should name; false: none is known, it is the one
// that `andon server` would start.
func (c *call) likelyPlant() (plant, bool) {
	p, err := c.plant()
	if err != nil {
		return plant{URL: defaultAddress}, false
	}
	if p.Dir == c.lastPlant() {
		p.Dir = "" // it is found without
	}
	p.URL = strings.TrimRight(p.URL, "/")
	return p, true
}
