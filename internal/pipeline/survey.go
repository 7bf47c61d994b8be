package pipeline

import "slices"

// A Kind is what a repository was taken for.
type Kind string

// The kinds of repositories that Init knows.
const (
	KindGo     Kind = "go"
	KindNode   Kind = "node"
	KindPython Kind = "python"
	KindStatic Kind = "static" // files for a browser, and no server
	KindOther  Kind = "other"
)

// Kinds lists every kind.
func Kinds() []Kind { return []Kind{KindGo, KindNode, KindPython, KindStatic, KindOther} }

// A Survey is what was found in a repository. Whoever reads the directory fills it in.
type Survey struct {
	// Service is the proposed name, such as the name of the directory. Init turns it into
	// a valid one.
	Service string
	Go      *GoSurvey     // nil: no go.mod
	Node    *NodeSurvey   // nil: neither package.json nor a server.js
	Python  *PythonSurvey // nil: no requirements.txt, pyproject.toml or *.py
	Index   bool          // index.html at the top
}

// A GoSurvey is what was found in a repository with a go.mod at the top.
type GoSurvey struct {
	// Mains are the directories of the main packages, relative to the module, with slashes:
	// ".", "cmd/shop".
	Mains []string
}

// A NodeSurvey is what was found in a repository with a package.json or a server.js at the top.
type NodeSurvey struct {
	Start, Test, Build string // the scripts of those names; empty: none
	LockFile           string // its name: package-lock.json, npm-shrinkwrap.json, yarn.lock or pnpm-lock.yaml; empty: none
	Dependencies       bool   // dependencies or devDependencies are not empty
	Server             string // the file that starts the server when there is no start script: server.js, index.js; empty: none
}

// A PythonSurvey is what was found in a repository with Python files.
type PythonSurvey struct {
	Server       string // the file that starts the server: server.py, app.py, main.py; empty: none
	Requirements bool   // requirements.txt names a package
	Tests        string // the directory with test*.py files, with slashes: "." or "tests"; empty: none
}

// Kind returns what the repository is taken for. A server in Go, Node or Python, in this
// order, wins over the language alone, and any of them over an index.html.
func (s Survey) Kind() Kind {
	switch {
	case s.Go != nil && len(s.Go.Mains) > 0:
		return KindGo
	case s.Node != nil && s.Node.command() != "":
		return KindNode
	case s.Python != nil && s.Python.Server != "":
		return KindPython
	case s.Go != nil:
		return KindGo
	case s.Index && (s.Node == nil || s.Node.Build == ""):
		return KindStatic
	case s.Node != nil:
		return KindNode
	case s.Python != nil:
		return KindPython
	default:
		return KindOther
	}
}

// Besides returns the other languages of the repository, which what Init writes says nothing of.
func (s Survey) Besides() []Kind {
	var others []Kind
	for kind, found := range map[Kind]bool{KindGo: s.Go != nil, KindNode: s.Node != nil, KindPython: s.Python != nil} {
		if found && kind != s.Kind() {
			others = append(others, kind)
		}
	}
	slices.Sort(others)
	return others
}

// command returns what starts the server, or "".
func (n *NodeSurvey) command() string {
	switch {
	case startsNode(n.Start):
		return n.Start // without npm in between, so that signals reach the server
	case n.Start != "":
		return "npm start"
	case n.Server != "":
		return "node " + shellWord(n.Server)
	default:
		return ""
	}
}
