package httpapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write docs/reference/api.md anew")

// referenceFile is the reference that this test keeps true.
const referenceFile = "../../docs/reference/api.md"

// An example is one request that the reference shows with its answer.
type example struct {
	id   string // the operation's
	path string // with its query
	body string
}

// examples are made in this order on one plant: each sees what those before it did.
var examples = []example{
	{"plant", "/api/v1/plant", ""},
	{"status", "/api/v1/status", ""},
	{"list-services", "/api/v1/services", ""},
	{"get-service", "/api/v1/services/shop", ""},
	{"list-versions", "/api/v1/services/shop/versions?limit=2", ""},
	{"get-version", "/api/v1/services/shop/versions/2", ""},
	{"wait", "/api/v1/services/shop/wait?version=3&for=certified&timeout_ms=0", ""},
	{"list-deployments", "/api/v1/deployments?service=shop&environment=production&limit=1", ""},
	{"get-deployment", "/api/v1/deployments/shop.production.2", ""},
	{"why", "/api/v1/why?service=shop", ""},
	{"search", "/api/v1/search?q=shop+2", ""},
	{"list-cords", "/api/v1/cords?open=true", ""},
	{"list-agents", "/api/v1/agents", ""},
	{"list-hosts", "/api/v1/hosts", ""},
	{"get-estate", "/api/v1/estate", ""},
	{"list-environments", "/api/v1/environments", ""},
	{"audit", "/api/v1/audit?service=shop&limit=3", ""},
	{"today", "/api/v1/today", ""},
	{"measures", "/api/v1/measures?service=shop", ""},
	{"maturity", "/api/v1/maturity?service=shop", ""},
	{"flow", "/api/v1/flow?service=shop", ""},
	{"change-flow", "/api/v1/services/shop/versions/1/flow", ""},
	{"log-lines", "/api/v1/logs/lines?log=task/shop.1.commit.test.1/1&first=-1", ""},
	{"add-service", "/api/v1/services", `{"service":"cart","repository":"https://git.example/private/cart.git","credential":{"token":"…"}}`},
	{"cancel-version", "/api/v1/services/shop/versions/4/cancel", `{"stage":"commit"}`},
	{"rerun-version", "/api/v1/services/shop/versions/3/rerun", `{}`},
	{"queue", "/api/v1/queue", ""},
	{"promote", "/api/v1/services/shop/versions/3/promote", `{"stage":"certify","reason":"looked at it"}`},
	{"deploy", "/api/v1/services/shop/versions/1/deploy", `{"environment":"test","plan_only":true}`},
	{"rollback", "/api/v1/services/shop/environments/production/rollback", `{"reason":"orders are lost"}`},
	{"cancel-deployment", "/api/v1/deployments/shop.production.4/cancel", `{"reason":"it was the network"}`},
	{"rerun-deployment", "/api/v1/deployments/shop.production.4/rerun", ""},
	{"apply-estate", "/api/v1/estate", `{"plan":true,"files":[{"path":"environments/production.yaml","text":"strategy: {blue-green: {warm: 10m}}\nsoak: 1m\n"},{"path":"environments/test.yaml","text":"strategy: rolling\n"}]}`},
	{"follow-estate", "/api/v1/estate/repository", `{"repository":"https://git.example/private/estate.git","credential":{"token":"…"}}`},
	{"unfollow-estate", "/api/v1/estate/repository", ""},
	{"pull-cord", "/api/v1/cords", `{"scope":{"kind":"environment","environment":"production"},"reason":"the sale has begun"}`},
	{"release-cord", "/api/v1/cords/release", `{"scope":{"kind":"environment","environment":"production"},"reason":"the sale is over"}`},
	{"add-host", "/api/v1/hosts", `{"host":"web2","labels":{"environment":"production"},"server":"https://plant.example:8600"}`},
	{"remove-host", "/api/v1/hosts/web2?reason=sold", ""},
	{"add-agent", "/api/v1/agents/web1/token", ""},
	{"remove-service", "/api/v1/services/cart?reason=sold", ""},
}

// joinToken is the token of a host, of which no two are alike.
var joinToken = regexp.MustCompile(`join\.web2\.[A-Za-z0-9_.-]+`)

// before says what happens between two examples.
var before = map[string]func(*plant){
	"rerun-version":    func(p *plant) { p.settle(); p.does, p.holds = nil, nil },
	"queue":            func(p *plant) { p.settle() },
	"deploy":           func(p *plant) { p.settle() },
	"rerun-deployment": func(p *plant) { p.settle() },
}

// An operation is what the reference needs of the OpenAPI document.
type operation struct {
	ID         string      `json:"operationId"`
	Summary    string      `json:"summary"`
	Parameters []parameter `json:"parameters"`

	method, path string
}

type parameter struct {
	Name        string `json:"name"`
	In          string `json:"in"`
	Required    bool   `json:"required"`
	Description string `json:"description"`
}

func operations(t *testing.T, spec []byte) map[string]operation {
	t.Helper()
	var document struct {
		Paths map[string]map[string]operation `json:"paths"`
	}
	if err := json.Unmarshal(spec, &document); err != nil {
		t.Fatal(err)
	}
	all := map[string]operation{}
	for path, methods := range document.Paths {
		for method, o := range methods {
			o.method, o.path = strings.ToUpper(method), path
			all[o.ID] = o
		}
	}
	return all
}

func TestReference_ShowsWhatThePlantAnswers(t *testing.T) {
	p := story(t)
	_, spec := p.ask("GET", "/openapi.json", bearer(admin), "")
	ops := operations(t, []byte(spec))
	schemas := newSchemas(t, spec)
	var doc bytes.Buffer
	doc.WriteString(referenceIntroduction)
	shown := map[string]bool{"log-bytes": true, "events": true, "backup": true}
	for _, e := range examples {
		if do := before[e.id]; do != nil {
			do(p)
		}
		o, ok := ops[e.id]
		if !ok {
			t.Fatalf("there is no operation %s", e.id)
		}
		shown[e.id] = true
		header := bearer(admin)
		if e.body != "" {
			header["Content-Type"] = "application/json"
		}
		resp, body := p.ask(o.method, e.path, header, e.body)
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: %s: %s", o.method, e.path, resp.Status, body)
		}
		schemas.check(t, o, body)
		if strings.Contains(body, "null") {
			t.Errorf("%s %s answers with a null: %s", o.method, e.path, body)
		}
		describe(&doc, o, e, joinToken.ReplaceAllString(body, "join.web2.…"))
	}
	for id := range ops {
		if !shown[id] {
			t.Errorf("the reference has no example of %s", id)
		}
	}
	_, bytesOf := p.ask("GET", "/api/v1/logs/bytes?log=task/shop.1.commit.test.1/1", bearer(admin), "")
	describeStreams(&doc, ops, bytesOf)
	compare(t, doc.Bytes())
}

// describe writes one operation with its example.
func describe(doc *bytes.Buffer, o operation, e example, answer string) {
	fmt.Fprintf(doc, "\n### %s\n\n`%s %s`\n", o.Summary, o.method, o.path)
	parameters(doc, o)
	fmt.Fprintf(doc, "\n```http\n%s %s\n", o.method, e.path)
	if e.body != "" {
		fmt.Fprintf(doc, "\n%s\n", e.body)
	}
	fmt.Fprintf(doc, "```\n```json\n%s\n```\n", pretty(answer))
}

func parameters(doc *bytes.Buffer, o operation) {
	slices.SortStableFunc(o.Parameters, func(a, b parameter) int { return cmp.Compare(a.In, b.In) })
	first := true
	for _, p := range o.Parameters {
		if p.In == "path" && p.Description == "" {
			continue
		}
		if first {
			doc.WriteString("\n")
			first = false
		}
		fmt.Fprintf(doc, "- `%s`", p.Name)
		if p.Description != "" {
			fmt.Fprintf(doc, ": %s", p.Description)
		}
		if p.Required && p.In == "query" {
			doc.WriteString(" (required)")
		}
		doc.WriteString("\n")
	}
}

func pretty(answer string) string {
	var out bytes.Buffer
	if err := json.Indent(&out, []byte(strings.TrimSpace(answer)), "", "  "); err != nil {
		return answer
	}
	return out.String()
}

func describeStreams(doc *bytes.Buffer, ops map[string]operation, text string) {
	o := ops["log-bytes"]
	fmt.Fprintf(doc, "\n### %s\n\n`%s %s`\n", o.Summary, o.method, o.path)
	parameters(doc, o)
	fmt.Fprintf(doc, "\n```http\nGET /api/v1/logs/bytes?log=task/shop.1.commit.test.1/1\n```\n```text\n%s```\n", text)
	o = ops["events"]
	fmt.Fprintf(doc, "\n### %s\n\n`%s %s`\n", o.Summary, o.method, o.path)
	parameters(doc, o)
	doc.WriteString(referenceEvents)
	o = ops["backup"]
	fmt.Fprintf(doc, "\n### %s\n\n`%s %s`\n\nWhat the connection has brought when it is cut is no backup: the answer must end by itself.\n", o.Summary, o.method, o.path)
}

// compare checks the reference, or writes it with -update.
func compare(t *testing.T, want []byte) {
	t.Helper()
	file := filepath.FromSlash(referenceFile)
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(have, want) {
		return
	}
	haveLines, wantLines := strings.Split(string(have), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(haveLines), len(wantLines)) {
		if haveLines[i] != wantLines[i] {
			t.Fatalf("%s:%d is not true any more; run go test ./internal/httpapi -run Reference -update\n  it says   %s\n  the plant %s",
				referenceFile, i+1, haveLines[i], wantLines[i])
		}
	}
	t.Fatalf("%s has %d lines and should have %d", referenceFile, len(haveLines), len(wantLines))
}

// schemas checks answers against the description of the API.
type schemas struct{ compiler *jsonschema.Compiler }

func newSchemas(t *testing.T, spec string) schemas {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(spec))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("openapi.json", document); err != nil {
		t.Fatal(err)
	}
	return schemas{c}
}

func (s schemas) check(t *testing.T, o operation, answer string) {
	t.Helper()
	at := fmt.Sprintf("openapi.json#/paths/%s/%s/responses/200/content/application~1json/schema",
		strings.ReplaceAll(o.path, "/", "~1"), strings.ToLower(o.method))
	schema, err := s.compiler.Compile(at)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(answer))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%s does not answer as it is described: %v", o.ID, err)
	}
}

const referenceIntroduction = `# The API

A plant answers on one port: the JSON API below ` + "`/api/v1`" + `, git below ` + "`/git/`" + `, the OCI registry below ` + "`/v2/`" + `, webhooks below
` + "`/hooks/`" + `, and pages. ` + "`/openapi.json`" + ` describes the JSON API in OpenAPI 3.1. Every example on this page is the answer of a
real plant; a test keeps them true.

Names are snake_case, times are RFC 3339 in UTC, durations are whole milliseconds and end in ` + "`_ms`" + `. A field that is left out
has no value: a deployment without ` + "`ended`" + ` goes on. Lists are never null. New fields may appear at any time; those that are
here keep their meaning within v1. An answer shows everything that was acknowledged before its request was made.

## Signing in

Every route but ` + "`/healthz`" + ` needs a token: ` + "`Authorization: Bearer TOKEN`" + `, or Basic with any user and the token as password. The
admin's is in ` + "`admin.token`" + ` of the data directory. A browser signs in once, with the token, and keeps a session in a cookie that
other sites cannot use. Agents have tokens of their own, for ` + "`/agent/`" + `, ` + "`/v2/`" + ` and reading ` + "`/git/`" + `. git asks for the token by itself after

` + "```sh\ngit config --global credential.http://127.0.0.1:8600.helper '!andon git-credential'\n```" + `

A plant that listens on a loopback address answers only for names of this machine and those it was started with.

## Errors

Every answer that is not a success has this body; ` + "`file`, `line`, `column` and `source`" + ` point into what the user wrote.

` + "```json" + `
{
  "error": {
    "kind": "not_found",
    "message": "there is no service shop",
    "hint": "` + "`andon service list`" + ` shows the services that there are"
  }
}
` + "```" + `

| kind | status | meaning |
|---|---|---|
| invalid | 400 (405, 413) | the input is wrong; change it |
| sign_in | 401 | nobody, or the wrong one, is signed in |
| refused | 403 | a rule forbids it |
| not_found | 404 | it names something that does not exist |
| conflict | 409 | it is right, but not in this state |
| internal | 500 | a fault of Andon's own; the plant's log says more |
| unreachable | 502 | something that is needed does not answer |
| unavailable | 503 | the plant cannot take it now: its disk is full, or it is stopping; try again |
| timeout | 504 | it took too long |

## Lists

Lists come newest first and in pages: ` + "`limit`" + ` says how many entries at most (50; at most 1000), ` + "`before`" + ` continues behind the last
one of the page before: its ` + "`number`" + ` for versions, its ` + "`position`" + ` otherwise.

## Webhooks

` + "`POST /hooks/SERVICE`" + ` makes the plant look at the service's repository now. Nothing in the request is believed. When the service
was added with a secret, the request must carry the signature of GitHub, Gitea, Forgejo, Bitbucket, GitLab or Standard
Webhooks. Without a secret anybody may ask; such requests are limited, and answered the same for services that do not exist.
` + "`POST /hooks/estate`" + ` does the same for the repository of the estate, if one is followed.

## Routes
`

const referenceEvents = `
Each event comes once, in order, with its position as the ID. Browsers resume with ` + "`Last-Event-ID`" + ` by themselves; other clients
pass the last position as ` + "`after`" + `. A client that reads too slowly is cut off, and resumes. Lines that begin with a colon only show
that the connection lives. The body of an event is the journal's own format, in which durations are nanoseconds.

` + "```http\nGET /api/v1/events?after=0\n```\n```text" + `
retry: 1000

id: 1
event: plant_created
data: {"seq":1,"time":"2026-01-05T09:00:00Z","by":"admin","name":"plant_created","body":{"plant":"q3y7plant"}}
` + "```\n"
