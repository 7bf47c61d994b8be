package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/andon-cd/andon/internal/pipeline"
)

// survey looks at what a repository holds.
func survey(top, name string) pipeline.Survey {
	return pipeline.Survey{
		Service: name,
		Go:      surveyGo(top),
		Node:    surveyNode(top),
		Python:  surveyPython(top),
		Index:   isFile(top, "index.html"),
	}
}

func surveyNode(top string) *pipeline.NodeSurvey {
	var manifest struct {
		Main            string            `json:"main"`
		Scripts         map[string]string `json:"scripts"`
		Dependencies    map[string]any    `json:"dependencies"`
		DevDependencies map[string]any    `json:"devDependencies"`
	}
	text, err := readAtMost(nil, filepath.Join(top, "package.json"), 1<<20)
	if err != nil {
		return nil
	}
	// One that cannot be read is the repository's own trouble, which npm will explain.
	_ = json.Unmarshal(text, &manifest)
	return &pipeline.NodeSurvey{
		Start: manifest.Scripts["start"], Test: manifest.Scripts["test"], Build: manifest.Scripts["build"],
		LockFile:     firstFile(top, "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml"),
		Dependencies: len(manifest.Dependencies)+len(manifest.DevDependencies) > 0,
		Server:       firstFile(top, "server.js", "server.mjs", "server.cjs", "app.js", "index.js", "index.mjs", manifest.Main),
	}
}

func surveyPython(top string) *pipeline.PythonSurvey {
	sources, _ := filepath.Glob(filepath.Join(escaped(top), "*.py"))
	if len(sources) == 0 && firstFile(top, "requirements.txt", "pyproject.toml") == "" {
		return nil
	}
	found := &pipeline.PythonSurvey{
		Server:       firstFile(top, "server.py", "app.py", "main.py"),
		Requirements: namesPackage(filepath.Join(top, "requirements.txt")),
	}
	for _, dir := range []string{"tests", "test", "."} {
		if tests, _ := filepath.Glob(filepath.Join(escaped(top), dir, "test*.py")); len(tests) > 0 {
			found.Tests = dir
			break
		}
	}
	return found
}

// namesPackage reports whether a requirements.txt requires anything.
func namesPackage(path string) bool {
	text, err := readAtMost(nil, path, 1<<20)
	if err != nil {
		return false
	}
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return true
		}
	}
	return false
}

// firstFile returns the first of the names that is a file in dir; empty: none is.
func firstFile(dir string, names ...string) string {
	for _, name := range names {
		if name != "" && filepath.IsLocal(name) && isFile(dir, name) {
			return filepath.ToSlash(filepath.Clean(name))
		}
	}
	return ""
}

func isFile(dir, name string) bool {
	info, err := os.Stat(filepath.Join(dir, name))
	return err == nil && info.Mode().IsRegular()
}

// escaped returns a path that filepath.Glob takes for itself.
func escaped(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}
