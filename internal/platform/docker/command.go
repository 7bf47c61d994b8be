package docker

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform"
)

// enginePath is where engines look for commands when nobody says otherwise.
const enginePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// findCommand reports why a command cannot run in a container that was made: there is no such
// file, or it may not be executed. With a program in the part of PID 1 the Engine does not see
// that itself. Any other error is the Engine's.
func (d *Driver) findCommand(ctx context.Context, container string, spec platform.Spec, img image) error {
	command, dir := spec.Command[0], img.Config.WorkingDir
	var candidates []string
	if strings.Contains(command, "/") {
		candidates = []string{path.Join("/", dir, command)}
		if path.IsAbs(command) {
			candidates = []string{path.Clean(command)}
		}
	} else {
		for _, p := range strings.Split(searchPath(spec, img), ":") {
			if !path.IsAbs(p) {
				p = path.Join("/", dir, p)
			}
			candidates = append(candidates, path.Join(p, command))
		}
	}
	found := false
	for _, c := range candidates {
		mode, err := d.engine.stat(ctx, container, c)
		switch {
		case refusedWith(err, http.StatusNotFound):
			continue
		case err != nil:
			return err
		case mode&fs.ModeSymlink != 0, mode.IsRegular() && mode&0o111 != 0:
			return nil // where a link leads shows when it is followed
		}
		found = true
	}
	if found {
		return notExecutable(command)
	}
	return notFound(command)
}

func searchPath(spec platform.Spec, img image) string {
	if p, ok := spec.Env["PATH"]; ok {
		return p
	}
	for _, e := range img.Config.Env {
		if p, ok := strings.CutPrefix(e, "PATH="); ok {
			return p
		}
	}
	return enginePath
}

func notFound(command string) *andon.Error {
	e := andon.Errorf(andon.KindNotFound, "command not found: %s", command)
	if command == "sh" {
		return e.WithHint("The image has no shell: write the command in andon.yaml as a list, [./shop, --flag].")
	}
	return e.WithHint("See whether the image contains it: paths start at the image's working directory, which is its root if it names none.")
}

func notExecutable(command string) *andon.Error {
	return andon.Errorf(andon.KindInvalid, "command %s is not executable", command).
		WithHint("Give it the permission in the repository: chmod +x, or git update-index --chmod=+x.")
}

// stat returns the mode of a file in a container. Links in its directory are followed, it itself
// is not.
func (e *engine) stat(ctx context.Context, id, file string) (fs.FileMode, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := e.answer(ctx, http.MethodHead, e.versioned("/containers/"+id+"/archive"), url.Values{"path": {file}}, nil, "")
	if err != nil {
		return 0, err
	}
	answer.Body.Close()
	b, err := base64.StdEncoding.DecodeString(answer.Header.Get("X-Docker-Container-Path-Stat"))
	if err != nil {
		return 0, e.unreachable(ctx, err)
	}
	var told struct{ Mode fs.FileMode }
	if err := json.Unmarshal(b, &told); err != nil {
		return 0, e.unreachable(ctx, err)
	}
	return told.Mode, nil
}
