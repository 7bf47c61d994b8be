package estate_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/estate"
	"github.com/andon-cd/andon/internal/form"
)

func files(pairs ...string) []estate.File {
	var all []estate.File
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, estate.File{Path: pairs[i], Data: []byte(pairs[i+1])})
	}
	return all
}

func TestParse_ReadsEverythingThatAnEnvironmentCanSay(t *testing.T) {
	got, problems := estate.Parse(files("README.md", "nothing of ours", "environments/production.yaml", `
platform: process
hosts: {labels: {tier: web}}
edge: {names: [edge1, edge2]}
route: "{service}.example.com"
strategy:
  canary:
    steps: [{weight: 5, pause: 2m}, {weight: 50, pause: 10m}]
    warm: 15m
soak: 1m
watch: {errors: 0.5, latency: 1.5, least: 200}
`, "environments/test.yaml", "strategy: {rolling: {max_unavailable: 1, max_surge: 2}}\n"))
	if len(problems) > 0 {
		t.Fatal(form.Format(problems))
	}
	if len(got) != 2 || got[0].Name != "production" || got[1].Name != "test" {
		t.Fatalf("%+v", got)
	}
	p := got[0]
	if p.Strategy != andon.Canary || len(p.Canary) != 2 || p.Canary[1] != (andon.CanaryStep{Weight: 50, Pause: 10 * time.Minute}) ||
		p.Warm != 15*time.Minute || p.Soak != time.Minute || *p.Watch != (andon.Watch{Errors: 0.5, Latency: 1.5, Least: 200}) ||
		p.Hosts != "{service}.example.com" || p.Place.Labels["tier"] != "web" || len(p.Edge.Agents) != 2 || p.Platform != "process" {
		t.Errorf("%+v", p)
	}
	if test := got[1]; test.Strategy != andon.Rolling || test.MaxUnavailable != 1 || test.MaxSurge != 2 || test.Hosts != "{service}.test.localhost" || test.Watch != nil {
		t.Errorf("%+v", test)
	}
}

func TestParse_RefusesWithAPositionAndAHint(t *testing.T) {
	for name, c := range map[string]struct {
		files []estate.File
		want  []string
	}{
		"nothing":          {files("README.md", "x"), []string{"declares no environment => write environments/production.yaml"}},
		"a misspelled key": {files("environments/a.yaml", "stratgy: rolling\n"), []string{`a.yaml:1:1: unknown key "stratgy" => did you mean "strategy"?`}},
		"another system's": {files("environments/a.yaml", "domain: x\n"), []string{`a.yaml:1:1: unknown key "domain" => did you mean "route"?`}},
		"a misplaced key":  {files("environments/a.yaml", "strategy: rolling\nmax_surge: 1\n"), []string{`a.yaml:2:1: unknown key "max_surge" => the key "max_surge" belongs in strategy.rolling`}},
		"a wrong strategy": {files("environments/a.yaml", "strategy: blue-gren\n"), []string{`did you mean "blue-green"?`}},
		"two strategies":   {files("environments/a.yaml", "strategy: {rolling: {}, replace: {}}\n"), []string{`strategy has both "rolling" and "replace"`}},
		"no steps":         {files("environments/a.yaml", "strategy: canary\n"), []string{"a.yaml:1:11: strategy: canary needs its steps"}},
		"falling steps": {files("environments/a.yaml", "strategy:\n  canary:\n    steps:\n      - {weight: 50, pause: 1m}\n      - {weight: 5, pause: 1m}\n"),
			[]string{"a.yaml:5:18: strategy.canary.steps[1].weight is 5, after 50"}},
		"an empty file":          {files("environments/a.yaml", "# as it is\n"), []string{"a.yaml:1:1: the file is empty => write strategy: rolling"}},
		"a stuck rolling":        {files("environments/a.yaml", "strategy: {rolling: {max_surge: 0}}\n"), []string{"could never replace a copy"}},
		"no host":                {files("environments/a.yaml", "hosts: {}\n"), []string{"hosts chooses no host"}},
		"a bad route":            {files("environments/a.yaml", "route: shop.example.com\n"), []string{"a.yaml:1:8: route: \"shop.example.com\" is not a host name with {service}"}},
		"a route twice":          {files("environments/a.yaml", "route: \"{service}.x\"\n", "environments/b.yaml", "route: \"{service}.x\"\n"), []string{"b.yaml:1:8: the route {service}.x is that of environments/a.yaml too"}},
		"an unbuilt executor":    {files("environments/a.yaml", "platform: kubernetes\n"), []string{"platform must be process or docker, not"}},
		"what comes later":       {files("environments/a.yaml", "soak: 1s\n", "flags/shop.yaml", "x: 1\n"), []string{"flags/shop.yaml:1:1: an estate with feature flags is not supported by this version of Andon yet"}},
		"a directory deeper":     {files("environments/a/b.yaml", "soak: 1s\n"), []string{"declares no environment => an environment is one file"}},
		"a bad name":             {files("environments/Production.yaml", "soak: 1s\n"), []string{`"Production" cannot name an environment`}},
		"a duration":             {files("environments/a.yaml", "soak: 10\n"), []string{"soak needs a unit: 10"}},
		"a fraction":             {files("environments/a.yaml", "watch: {errors: many}\n"), []string{"watch.errors must be a number from 0 to 100, not"}},
		"a size without unit":    {files("environments/a.yaml", "limits: {memory: 512}\n"), []string{"a.yaml:1:18: limits.memory needs a unit: 512"}},
		"no limit":               {files("environments/a.yaml", "limits: {}\n"), []string{"limits limits nothing => write {memory: 512MiB, cpu: 0.5}"}},
		"another word":           {files("environments/a.yaml", "limits: {replicas: 3}\n"), []string{`unknown key "replicas" in limits => did you mean "instances"?`}},
		"another word misplaced": {files("environments/a.yaml", "replicas: 3\n"), []string{`the key "replicas" belongs in limits, as instances`}},
		"a limit misplaced":      {files("environments/a.yaml", "memory: 1GiB\n"), []string{`the key "memory" belongs in limits`}},
		"no cpu":                 {files("environments/a.yaml", "limits: {cpu: 0}\n"), []string{"limits.cpu must be a number from 0.01 to 1024, not 0"}},
		"a port in a route":      {files("environments/a.yaml", "routes: {shop: \"shop.x:80\"}\n"), []string{`a.yaml:1:16: routes.shop: "shop.x:80" is not a host name`}},
		"an alias twice":         {files("environments/a.yaml", "route: [\"{service}.x\", \"{service}.x\"]\n"), []string{"a.yaml:1:24: the route {service}.x is written twice"}},
		"a host twice":           {files("environments/a.yaml", "routes:\n  cart: www.x\n  shop: [shop.x, www.x]\n"), []string{"a.yaml:3:18: the route www.x is that of cart in environments/a.yaml too"}},
		"a host elsewhere": {files("environments/a.yaml", "routes: {shop: shop.x}\n", "environments/b.yaml", "route: \"{service}.x\"\n"),
			[]string{"b.yaml:1:8: the route of shop would be shop.x, which is that of shop in environments/a.yaml too"}},
		"two files": {files("environments/a.yaml", "sook: 1s\n", "environments/b.yaml", "soak: -1\n"), []string{"a.yaml:1:1", "b.yaml:1:7"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := estate.Parse(c.files)
			if got != nil {
				t.Errorf("it was read: %+v", got)
			}
			var all []string
			for _, p := range problems {
				line := p.Message + " => " + p.Hint
				if p.File != "" {
					line = form.Format([]*andon.Error{{File: p.File, Line: p.Line, Column: p.Column, Message: line}})
				}
				all = append(all, line)
			}
			text := strings.Join(all, "\n")
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("it says\n%s\nwithout\n%s", text, want)
				}
			}
		})
	}
}

func TestParse_ReadsRoutesPlatformAndLimits(t *testing.T) {
	got, problems := estate.Parse(files("environments/production.yaml", `
platform: docker
route: ["{service}.example.com", "{service}.example.org"]
routes:
  shop: [shop.example.com, www.example.com]
  cart: basket.example.com
limits: {memory: 512MiB, cpu: 0.25, processes: 200, instances: 8}
`))
	if len(problems) > 0 {
		t.Fatal(form.Format(problems))
	}
	p := got[0]
	if p.Platform != andon.PlatformDocker || p.MostInstances != 8 || p.Limits != (andon.Limits{Memory: 512 << 20, CPU: 250, Processes: 200}) {
		t.Errorf("%+v", p)
	}
	for service, want := range map[andon.ServiceName]string{
		"shop": "shop.example.com www.example.com", "cart": "basket.example.com", "blog": "blog.example.com blog.example.org",
	} {
		if got := strings.Join(p.RouteHosts(service), " "); got != want {
			t.Errorf("%s is reached at %s, not %s", service, got, want)
		}
	}
	before, _ := estate.Parse(files("environments/production.yaml", "platform: docker\n"))
	var lines []string
	for _, c := range estate.Diff(before, got) {
		lines = append(lines, c.String())
	}
	want := `~ production: route: {service}.localhost → {service}.example.com {service}.example.org
~ production: routes: – → cart basket.example.com, shop shop.example.com www.example.com
~ production: limits.memory: – → 512MiB
~ production: limits.cpu: – → 0.25
~ production: limits.processes: – → 200
~ production: limits.instances: – → 8`
	if diff := strings.Join(lines, "\n"); diff != want {
		t.Errorf("the diff is\n%s\ninstead of\n%s", diff, want)
	}
}

func TestParse_BoundsWhatItReads(t *testing.T) {
	many := make([]estate.File, estate.MaxFiles+1)
	if _, problems := estate.Parse(many); len(problems) != 1 || !strings.Contains(problems[0].Message, "1001 files") {
		t.Errorf("%v", problems)
	}
}

func TestDiff_SaysWhatDiffersKeyByKey(t *testing.T) {
	before, problems := estate.Parse(files("environments/production.yaml", "strategy: blue-green\nsoak: 1m\n", "environments/old.yaml", "strategy: rolling\n"))
	if len(problems) > 0 {
		t.Fatal(form.Format(problems))
	}
	after, problems := estate.Parse(files("environments/production.yaml", "strategy: {canary: {steps: [{weight: 10, pause: 1m}]}}\nsoak: 1m\n", "environments/staging.yaml", "hosts: {labels: {a: b}}\n"))
	if len(problems) > 0 {
		t.Fatal(form.Format(problems))
	}
	var lines []string
	for _, c := range estate.Diff(before, after) {
		lines = append(lines, c.String())
	}
	want := `- old: strategy rolling, route {service}.old.localhost, platform process
~ production: strategy: blue-green → canary
~ production: steps: – → 10 % for 1m
+ staging: strategy rolling, route {service}.staging.localhost, platform process, hosts a=b`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("the diff is\n%s\ninstead of\n%s", got, want)
	}
	if same := estate.Diff(after, after); len(same) > 0 {
		t.Errorf("an estate differs from itself: %v", same)
	}
}

func TestReference_HasAnExampleThatIsValid(t *testing.T) {
	text, err := os.ReadFile("../../docs/reference/estate.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "```yaml environment\n")
	example, _, ended := strings.Cut(rest, "```")
	if !found || !ended {
		t.Fatal("the reference has no example")
	}
	if _, problems := estate.Parse(files("environments/production.yaml", example)); len(problems) > 0 {
		t.Error(form.Format(problems))
	}
}

func TestSchema_KnowsTheKeys(t *testing.T) {
	var schema struct{ Properties map[string]any }
	if err := json.Unmarshal(estate.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"strategy", "soak", "watch", "route", "routes", "limits", "hosts", "edge", "platform"} {
		if schema.Properties[key] == nil {
			t.Errorf("the schema lacks %s", key)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("environments/a.yaml", "strategy: {canary: {steps: [{weight: 5, pause: 2m}]}}\nwatch: {errors: 1}\n")
	f.Add("environments/b.yaml", "hosts: {labels: {a: b}}\nroute: \"{service}.x\"")
	f.Add("environments/c.yaml", "routes: {shop: [a, b], cart: c}\nlimits: {memory: 1GiB}\nroute: [\"{service}\"]")
	f.Fuzz(func(t *testing.T, path, text string) {
		got, problems := estate.Parse(files(path, text))
		if (len(got) == 0) != (len(problems) > 0) {
			t.Errorf("%d environments and %d problems", len(got), len(problems))
		}
	})
}
