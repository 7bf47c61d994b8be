package httpapi

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// asked is a value for each parameter of a query that the description of the API names.
var asked = map[string]string{
	"limit": "2", "days": "7", "before": "1000000", "open": "true", "changes": "true", "service": "shop", "environment": "test", "outcome": "succeeded",
	"branch": "main", "maturity": "rejected", "removed": "true", "version": "newest", "deployment": "shop.test.1", "cord": "cord-1",
	"log": "task/shop.1.commit.test.1/1", "first": "-1", "count": "5", "offset": "2", "q": "shop", "for": "built", "timeout_ms": "0", "follow": "true",
}

// alone names the parameters that exclude others.
var alone = map[string][]string{"why": {"cord", "deployment"}}

// TestReads_TakeEveryParameterThatTheyDescribe asks every question with none, each and all of the
// parameters that the description says it takes.
func TestReads_TakeEveryParameterThatTheyDescribe(t *testing.T) {
	p := story(t)
	_, spec := p.ask("GET", "/openapi.json", bearer(admin), "")
	fill := strings.NewReplacer("{service}", "shop", "{version}", "2", "{environment}", "test", "{deployment}", "shop.test.1")
	ops := operations(t, []byte(spec))
	n := 0
	for _, id := range slices.Sorted(maps.Keys(ops)) {
		o := ops[id]
		if o.method != "GET" || id == "events" || id == "backup" { // these two do not end; tests of their own read them
			continue
		}
		must, may := url.Values{}, []string{}
		for _, param := range o.Parameters {
			value, known := asked[param.Name]
			switch {
			case param.In != "query":
			case !known:
				t.Errorf("%s takes %s, and this test does not know what to ask", id, param.Name)
			case param.Required, param.Name == "timeout_ms": // without that one, the plant waits
				must.Set(param.Name, value)
			default:
				may = append(may, param.Name)
			}
		}
		questions := []url.Values{must}
		all := maps.Clone(must)
		for _, name := range may {
			one := maps.Clone(must)
			one.Set(name, asked[name])
			if id == "why" && (name == "version" || name == "environment") {
				one.Set("service", "shop")
			}
			questions = append(questions, one)
			if !slices.Contains(alone[id], name) {
				all.Set(name, asked[name])
			}
		}
		for _, q := range append(questions, all) {
			resp, body := p.ask("GET", fill.Replace(o.path)+"?"+q.Encode(), bearer(admin), "")
			if resp.StatusCode != 200 {
				t.Errorf("%s %s?%s: %s: %s", id, o.path, q.Encode(), resp.Status, body)
			}
			n++
		}
	}
	if n < 40 {
		t.Errorf("only %d questions were asked", n)
	}
}

// TestLists_ComeInPagesThatMissAndRepeatNothing reads each list that has pages one entry at a time.
func TestLists_ComeInPagesThatMissAndRepeatNothing(t *testing.T) {
	p := story(t)
	for path, key := range map[string]string{
		"/api/v1/services/shop/versions": "number", "/api/v1/deployments": "position", "/api/v1/cords": "position", "/api/v1/audit": "position",
	} {
		read := func(q url.Values) []map[string]any {
			t.Helper()
			resp, body := p.ask("GET", path+"?"+q.Encode(), bearer(admin), "")
			var list []map[string]any
			if err := json.Unmarshal([]byte(body), &list); err != nil || resp.StatusCode != 200 {
				t.Fatalf("%s?%s: %s: %s", path, q.Encode(), resp.Status, body)
			}
			return list
		}
		whole := read(url.Values{"limit": {"1000"}})
		var paged []map[string]any
		q := url.Values{"limit": {"1"}}
		for range len(whole) + 1 {
			page := read(q)
			if len(page) == 0 {
				break
			}
			paged = append(paged, page...)
			last, err := json.Marshal(page[len(page)-1][key])
			p.must(err)
			q.Set("before", string(last))
		}
		want, err := json.Marshal(whole)
		p.must(err)
		got, err := json.Marshal(paged)
		p.must(err)
		if len(whole) == 0 || string(got) != string(want) {
			t.Errorf("%s: in pages\n%s\nat once\n%s", path, got, want)
		}
	}
}
