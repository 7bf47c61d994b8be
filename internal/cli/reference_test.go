package cli

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/andon-cd/andon/api"
)

// forms are the JSON that commands print, by the words behind ```json in the reference.
func forms() map[string]any {
	return map[string]any{
		"error": &api.Failure{}, "done": &api.Done{}, "init": &initialised{}, "check": &checked{}, "run": &ran{},
		"status": &api.Status{}, "why": &api.Why{}, "queue": &api.Queue{}, "search": &api.Search{}, "wait": &api.Waited{}, "deploy": &api.Plan{},
		"log": &struct {
			Logs []api.Lines `json:"logs"`
		}{},
		"log -f": &followedLine{},
		"audit list": &struct {
			Entries []api.Entry `json:"entries"`
		}{},
		"audit verify": &verification{}, "flow": &api.Flow{}, "flow SERVICE@VERSION": &api.ChangeFlow{}, "measures": &api.Measures{}, "maturity": &api.MaturityReport{},
		"service list": &struct {
			Services []api.Service `json:"services"`
		}{},
		"estate": &api.Estate{}, "estate diff": &api.EstateChanges{},
		"host list": &struct {
			Hosts []api.Host `json:"hosts"`
		}{},
		"host add": &api.AddedHost{}, "agent token": &api.AddedAgent{}, "agent join": &joined{}, "down": &stopped{}, "backup": &backedUp{}, "version": &build{},
		"restore": &struct {
			Data string `json:"data"`
		}{},
		"doctor": &struct {
			OK       bool      `json:"ok"`
			Findings []finding `json:"findings"`
		}{},
	}
}

func reference(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/reference/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// commandLine returns the model of the whole command line.
func commandLine(t *testing.T) *kong.Application {
	t.Helper()
	parser, err := newParser(&program{}, &terminal{out: &bytes.Buffer{}, err: &bytes.Buffer{}})
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model
}

func TestReference_NamesEveryCommandAndFlag(t *testing.T) {
	sections := map[string]string{}
	for _, part := range strings.Split(reference(t), "\n## ")[1:] {
		title, body, _ := strings.Cut(part, "\n")
		sections[title] = body
	}
	model := commandLine(t)
	for _, flag := range model.Flags {
		if !strings.Contains(sections["What holds for all"], "`--"+flag.Name+"`") {
			t.Errorf("--%s is not in the reference", flag.Name)
		}
	}
	var check func(n *kong.Node)
	check = func(n *kong.Node) {
		for _, child := range n.Children {
			if child.Hidden {
				continue
			}
			title := "andon " + child.Path()
			body, ok := sections[title]
			if !ok {
				t.Errorf("%s is not in the reference", title)
			}
			for _, flag := range child.Flags {
				if !strings.Contains(body, "| `--"+flag.Name+"`") {
					t.Errorf("%s --%s is not in the reference", title, flag.Name)
				}
			}
			for _, named := range regexp.MustCompile("(?m)^\\| `--([a-z-]+)`").FindAllStringSubmatch(body, -1) {
				if !slices.ContainsFunc(child.Flags, func(f *kong.Flag) bool { return f.Name == named[1] }) {
					t.Errorf("the reference gives %s a flag --%s, which it has not", title, named[1])
				}
			}
			delete(sections, title)
			check(child)
		}
	}
	check(model.Node)
	delete(sections, "What holds for all")
	if len(sections) > 0 {
		t.Errorf("the reference has %v, which are no commands", slices.Sorted(maps.Keys(sections)))
	}
}

func TestReference_ExamplesHaveTheFormOfTheAnswers(t *testing.T) {
	forms := forms()
	for _, m := range regexp.MustCompile("(?s)```json ([^\n]+)\n(.*?)```").FindAllStringSubmatch(reference(t), -1) {
		form, ok := forms[m[1]]
		if !ok {
			t.Errorf("what does %q print?", m[1])
			continue
		}
		delete(forms, m[1])
		decoder := json.NewDecoder(strings.NewReader(m[2]))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(form); err != nil {
			t.Errorf("%s: %v", m[1], err)
			continue
		}
		printed, err := json.Marshal(form)
		if err != nil {
			t.Fatal(err)
		}
		if want, got := parsed(t, printed), parsed(t, []byte(m[2])); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the example differs from what is printed:\n%s", m[1], printed)
		}
	}
	if len(forms) > 0 {
		t.Errorf("the reference has no example of %v", slices.Sorted(maps.Keys(forms)))
	}
}

func parsed(t *testing.T, text []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestExitCodes_CoverEveryKindOfError(t *testing.T) {
	want := map[api.Kind]int{
		api.KindInvalid: 1, api.KindNotFound: 1, api.KindConflict: 1, api.KindInternal: 1,
		api.KindRefused: 3, api.KindSignIn: 3,
		api.KindUnreachable: 4, api.KindUnavailable: 4,
		api.KindTimeout: 5,
	}
	for _, kind := range api.Kinds() {
		if got := exitCode(&api.Error{Kind: kind}); got != want[kind] {
			t.Errorf("%s ends with %d, want %d", kind, got, want[kind])
		}
	}
}
