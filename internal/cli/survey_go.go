package cli

import (
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/andon-cd/andon/internal/pipeline"
)

// surveyedEntries bounds how much of a repository is looked at for main packages.
const surveyedEntries = 20_000

// surveyGo finds the main packages of the module at the top of a repository.
func surveyGo(top string) *pipeline.GoSurvey {
	if !isFile(top, "go.mod") {
		return nil
	}
	found := &pipeline.GoSurvey{}
	seen := 0
	// What cannot be read is passed over: the survey is a proposal.
	_ = filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if seen++; err != nil || seen > surveyedEntries {
			return fs.SkipAll
		}
		if entry.IsDir() {
			return skipGoDir(top, path, entry.Name())
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || !hasMain(path) {
			return nil
		}
		dir, err := filepath.Rel(top, filepath.Dir(path))
		if dir = filepath.ToSlash(dir); err == nil && !slices.Contains(found.Mains, dir) {
			found.Mains = append(found.Mains, dir)
		}
		return nil
	})
	return found
}

// skipGoDir passes over the directories that ./... passes over.
func skipGoDir(top, path, name string) error {
	if path == top {
		return nil
	}
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "vendor" || name == "testdata" || name == "node_modules" {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

// hasMain reports whether a file is built here and declares func main of package main.
func hasMain(path string) bool {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil || file.Name.Name != "main" || !isBuilt(file) {
		return false
	}
	return slices.ContainsFunc(file.Decls, func(d ast.Decl) bool {
		f, ok := d.(*ast.FuncDecl)
		return ok && f.Recv == nil && f.Name.Name == "main"
	})
}

// isBuilt reports whether the file's constraint holds on this machine.
func isBuilt(file *ast.File) bool {
	for _, group := range file.Comments {
		for _, c := range group.List {
			if c.Pos() > file.Package || !constraint.IsGoBuild(c.Text) {
				continue
			}
			expr, err := constraint.Parse(c.Text)
			return err == nil && expr.Eval(func(tag string) bool {
				return tag == runtime.GOOS || tag == runtime.GOARCH || tag == "unix" || tag == "gc" || strings.HasPrefix(tag, "go1")
			})
		}
	}
	return true
}
