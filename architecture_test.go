package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/andon-cd/andon"

// layers is the table of docs/architecture.md: a package imports only packages of lower
// layers, or of its own subtree. The first column is the package's root below the module.
var layers = map[string]int{
	"internal/andon": 0,
	"internal/form":  1,
	"internal/ansi":  1,

	"internal/pipeline": 2, "internal/estate": 2, "internal/deploy": 2, "internal/config": 2, "internal/policy": 2, "internal/metrics": 2,
	"internal/line": 3,

	// Contracts and their drivers: a driver is below its contract's directory, so the
	// subtree rule lets it import the contract and nothing else of the layer.
	"internal/platform": 4, "internal/traffic": 4, "internal/notify": 4, "internal/forge": 4, "internal/database": 4,
	"internal/secret": 4,

	"internal/journal": 5, "internal/history": 5, "internal/artifact": 5, "internal/logs": 5, "internal/vcs": 5,
	"internal/registry": 5, "internal/ca": 5,

	"internal/engine": 6, "internal/agent": 6, "internal/auth": 6, "internal/intake": 6,

	"internal/httpapi": 7, "internal/web": 7, "internal/git": 7, "internal/webhook": 7,
	"internal/watch": 7, "internal/scrape": 7, "internal/announce": 7, "internal/retention": 7, "internal/backup": 7,

	"internal/server": 8,
	"internal/cli":    9,

	"api": 0,
}

// pure lists the packages that decide and do nothing else.
var pure = []string{"internal/andon", "internal/form", "internal/ansi", "internal/estate", "internal/pipeline", "internal/deploy", "internal/config", "internal/policy", "internal/metrics", "internal/line"}

var bannedInPure = []string{"os", "net", "database/sql", "log/slog", "log", "math/rand", "math/rand/v2", "crypto/rand", "os/exec", "net/http", "syscall"}

var bannedClockCalls = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// driverUsers may name concrete drivers; everybody else knows the contracts only.
var driverUsers = []string{"internal/cli", "bench", "e2e"}

var drivers = []string{"internal/platform/process", "internal/platform/docker", "internal/traffic/proxy", "internal/traffic/haproxy", "internal/journal/sqlite", "internal/journal/postgres"}

// testOnly packages are for tests; no program may link them, nor package testing.
var testOnly = []string{"internal/platform/platformtest", "internal/platform/docker/dockertest", "internal/traffic/traffictest", "internal/journal/journaltest", "internal/engine/enginetest", "internal/andon/andontest", "e2e/planttest", "internal/cli/screen/screentest"}

type source struct {
	dir     string // below the module, slash-separated
	file    string
	imports []string
	syntax  *ast.File
}

func TestImportsGoOnlyDownward(t *testing.T) {
	for _, s := range programSources(t) {
		root, from, known := layerOf(s.dir)
		if !known {
			if !strings.HasPrefix(s.dir, "internal/") {
				continue
			}
			t.Errorf("%s: package %s is not in the layer table", s.file, s.dir)
			continue
		}
		for _, imp := range s.imports {
			target, ours := strings.CutPrefix(imp, module+"/")
			if !ours {
				continue
			}
			targetRoot, to, known := layerOf(target)
			if known && targetRoot != root && to >= from {
				t.Errorf("%s: %s (layer %d) imports %s (layer %d)", s.file, root, from, target, to)
			}
		}
	}
}

func TestPurePackagesDoNothing(t *testing.T) {
	for _, s := range programSources(t) {
		if !slices.ContainsFunc(pure, func(p string) bool { return s.dir == p || strings.HasPrefix(s.dir, p+"/") }) {
			continue
		}
		for _, imp := range s.imports {
			if slices.Contains(bannedInPure, imp) {
				t.Errorf("%s: a pure package imports %s", s.file, imp)
			}
		}
		ast.Inspect(s.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt: // their tests run without the race detector
				t.Errorf("%s: a pure package starts a goroutine", s.file)
			case *ast.SelectorExpr:
				if pkg, ok := n.X.(*ast.Ident); ok && pkg.Name == "time" && slices.Contains(bannedClockCalls, n.Sel.Name) {
					t.Errorf("%s: a pure package calls time.%s", s.file, n.Sel.Name)
				}
			}
			return true
		})
	}
}

func TestOnlyTheCommandLineKnowsTheDrivers(t *testing.T) {
	for _, s := range programSources(t) {
		if slices.ContainsFunc(driverUsers, func(p string) bool { return s.dir == p || strings.HasPrefix(s.dir, p+"/") }) {
			continue
		}
		for _, imp := range s.imports {
			target, _ := strings.CutPrefix(imp, module+"/")
			if i := slices.IndexFunc(drivers, func(d string) bool { return target == d }); i >= 0 && !strings.HasPrefix(s.dir, drivers[i]) {
				t.Errorf("%s: imports the driver %s; take the contract instead", s.file, target)
			}
		}
	}
}

func TestTheBinaryNeverLinksTesting(t *testing.T) {
	for _, s := range programSources(t) {
		if slices.Contains(testOnly, s.dir) || strings.HasPrefix(s.dir, "bench") || strings.HasPrefix(s.dir, "e2e") {
			continue
		}
		for _, imp := range s.imports {
			target, _ := strings.CutPrefix(imp, module+"/")
			if imp == "testing" || strings.HasPrefix(imp, "testing/") || strings.HasPrefix(imp, "net/http/httptest") || slices.Contains(testOnly, target) {
				t.Errorf("%s: imports %s outside of tests", s.file, imp)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range programSources(t) {
		documented[s.dir] = documented[s.dir] || s.syntax.Doc != nil
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package %s has no doc comment", dir)
		}
	}
}

// layerOf returns the root package of the table that dir lies in, and its layer.
func layerOf(dir string) (string, int, bool) {
	for d := dir; d != "." && d != "/"; d = path.Dir(d) {
		if layer, ok := layers[d]; ok {
			return d, layer, true
		}
	}
	return "", 0, false
}

// programSources parses every Go file of the module that is not a test.
func programSources(t *testing.T) []source {
	t.Helper()
	var found []source
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && name != "." || entry.Name() == "testdata" || entry.Name() == "tools"):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		syntax, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		s := source{dir: filepath.ToSlash(filepath.Dir(name)), file: name, syntax: syntax}
		for _, imp := range syntax.Imports {
			s.imports = append(s.imports, strings.Trim(imp.Path.Value, `"`))
		}
		found = append(found, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatal("no Go files found")
	}
	return found
}
