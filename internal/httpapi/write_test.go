package httpapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
)

func TestAddService_KeepsTheCredentialAndNeverShowsIt(t *testing.T) {
	p := newPlant(t)
	add := api.AddService{Service: "cart", Repository: "https://git.example/private/cart.git"}
	if _, err := p.client.AddService(t.Context(), add); kindOf(err) != api.KindUnreachable {
		t.Errorf("a repository that does not let us in: %v", err)
	}
	add.Credential = &api.Credential{Token: "s3cret", HookSecret: "h00k"}
	d, err := p.client.AddService(t.Context(), add)
	p.must(err)
	if d.Service != "cart" {
		t.Errorf("%+v", d)
	}
	kept, err := p.api.Secrets.Get("cart")
	if err != nil || kept.Token != "s3cret" || kept.Hook != "h00k" {
		t.Errorf("%+v %v", kept, err)
	}
	s, err := p.client.Service(t.Context(), "cart")
	p.must(err)
	if s.Trunk != "trunk" || s.Repository != add.Repository || s.Git != "" {
		t.Errorf("%+v", s.Service)
	}
	for _, path := range []string{"/api/v1/services", "/api/v1/services/cart", "/api/v1/audit", "/api/v1/status", "/openapi.json"} {
		if _, body := p.ask("GET", path, bearer(admin), ""); strings.Contains(body, "s3cret") || strings.Contains(body, "h00k") {
			t.Errorf("%s shows the credential", path)
		}
	}
	// A second one of the name is refused, and does not touch the first one's credential.
	add.Credential = &api.Credential{Token: "other"}
	if _, err := p.client.AddService(t.Context(), add); kindOf(err) != api.KindConflict {
		t.Errorf("a service that is there: %v", err)
	}
	if kept, err := p.api.Secrets.Get("cart"); err != nil || kept.Token != "s3cret" {
		t.Errorf("%+v %v", kept, err)
	}
	_, err = p.client.RemoveService(t.Context(), "cart", "sold")
	p.must(err)
	if kept, err := p.api.Secrets.Get("cart"); err != nil || kept.Token != "" {
		t.Errorf("the credential of a removed service stays: %+v %v", kept, err)
	}
}

func TestRecords_AreFoundByEveryNameThatEverWas(t *testing.T) {
	p := newPlant(t)
	_, err := p.client.AddService(t.Context(), api.AddService{Service: "cart"})
	p.must(err)
	_, err = p.client.RemoveService(t.Context(), "cart", "sold")
	p.must(err)
	entries, err := p.client.Audit(t.Context(), api.AuditFilter{Service: "cart", Environment: "production"})
	p.must(err)
	if len(entries) != 2 {
		t.Errorf("the audit of what was removed: %+v", entries)
	}
	_, err = p.client.Measures(t.Context(), "cart", 30)
	p.must(err)
	_, err = p.client.Flow(t.Context(), "cart", 30)
	p.must(err)
	for path, hint := range map[string]string{
		"/api/v1/audit?service=catr":                       "did you mean cart?",
		"/api/v1/audit?environment=prodution":              "did you mean production?",
		"/api/v1/audit?service=cart&environment=prodution": "did you mean production?",
		"/api/v1/audit?environment=%3Cmoon%3E":             "`andon status` lists the environments",
		"/api/v1/measures?service=catr":                    "did you mean cart?",
		"/api/v1/flow?service=catr":                        "did you mean cart?",
		"/api/v1/maturity?service=catr":                    "did you mean cart?",
	} {
		answer, body := p.ask("GET", path, bearer(admin), "")
		if answer.StatusCode != http.StatusNotFound || !strings.Contains(body, hint) {
			t.Errorf("%s: %s %s", path, answer.Status, body)
		}
	}
}

func TestAddService_RefusesBadInput(t *testing.T) {
	p := newPlant(t)
	for name, add := range map[string]api.AddService{
		"a name":          {Service: "No Name"},
		"two credentials": {Service: "cart", Repository: "x", Credential: &api.Credential{Token: "t", SSHKey: "k"}},
		"a password":      {Service: "cart", Repository: "https://ada:secret@git.example/cart.git"},
		"a token":         {Service: "cart", Repository: "HTTPS://secret@git.example/cart.git"},
		"that of ssh":     {Service: "cart", Repository: "ssh://git:secret@git.example/cart.git"},
	} {
		if _, err := p.client.AddService(t.Context(), add); kindOf(err) != api.KindInvalid || strings.Contains(err.Error(), "secret@") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDeploy_APlanAloneChangesNothing(t *testing.T) {
	p := story(t)
	head := p.engine.Head()
	d, err := p.client.Deploy(t.Context(), "shop", "1", api.Deploy{Environment: "production", PlanOnly: true})
	p.must(err)
	if p.engine.Head() != head || d.Deployment != "" || d.Plan == nil {
		t.Fatalf("%+v", d)
	}
	changes := d.Plan.Changes
	if len(changes.Commits) != 1 || changes.Commits[0].Version != 2 || changes.Artifact.Same || changes.Copies != (api.CountsChange{From: 2, To: 2}) {
		t.Errorf("%+v", changes)
	}
	if len(changes.Environment) != 1 || changes.Environment[0] != (api.KeyChange{Key: "GREETING", Change: "changed"}) {
		t.Errorf("the variables that change are %+v", changes.Environment)
	}
	if text, err := json.Marshal(d); err != nil || strings.Contains(string(text), "welcome") {
		t.Errorf("the plan shows a value: %s %v", text, err)
	}
	if _, err := p.client.Deploy(t.Context(), "shop", "3", api.Deploy{Environment: "production", PlanOnly: true}); kindOf(err) != api.KindRefused {
		t.Errorf("the plan of a rejected version: %v", err)
	}
}

func TestWhy_FollowsTheReasonsOfReasons(t *testing.T) {
	p := story(t)
	w, err := p.client.Why(t.Context(), api.WhyQuestion{Service: "shop", Version: "4"})
	p.must(err)
	if w.Moves || len(w.Waits) == 0 || w.Waits[0].Kind != api.WaitTask || w.About != "shop 4" {
		t.Errorf("%+v", w)
	}
	w, err = p.client.Why(t.Context(), api.WhyQuestion{Cord: "cord-1"})
	p.must(err)
	if len(w.Cords) != 1 || !strings.Contains(w.Sentence, "passes stage acceptance releases it") {
		t.Errorf("%+v", w)
	}
	for q, want := range map[api.WhyQuestion]api.Kind{
		{Service: "nothing"}: api.KindNotFound, {Version: "3"}: api.KindInvalid, {Cord: "cord-9"}: api.KindNotFound, {Environment: "moon"}: api.KindNotFound,
	} {
		if _, err := p.client.Why(t.Context(), q); kindOf(err) != want {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

func TestWhy_OfAStoppedLineTellsOfTheNewestThatFailed(t *testing.T) {
	p := newPlant(t)
	p.connect()
	for _, letter := range []string{"a", "b", "c"} {
		p.does = fails(letter, andon.CommitStageName)
		p.push(letter, "main", "Sell things "+letter, shopYAML)
		p.settle()
	}
	w, err := p.client.Why(t.Context(), api.WhyQuestion{Service: "shop"})
	p.must(err)
	if len(w.Cords) != 1 || !strings.Contains(w.Sentence, "(shop 1 failed") || !strings.Contains(w.Sentence, "; since then shop 3 failed, too: stage commit") {
		t.Errorf("%+v", w)
	}
}

func TestWhy_AVersionBehindAnotherNamesWhatHoldsThatOne(t *testing.T) {
	p := newPlant(t)
	p.connect()
	p.holds = func(l andon.Lease) bool { return l.Task.Stage == "acceptance" && l.Task.Kind == andon.TaskJob }
	p.push("a", "main", "Sell things", shopYAML)
	p.settle()
	p.push("b", "main", "Sell more", shopYAML)
	p.settle() // 1 has the place test for its stage; 2 waits for it
	w, err := p.client.Why(t.Context(), api.WhyQuestion{Service: "shop", Version: "2"})
	p.must(err)
	if len(w.Waits) != 1 || w.Waits[0].Kind != api.WaitLock || len(w.Waits[0].Because) != 1 || w.Waits[0].Because[0].Kind != api.WaitTask {
		t.Fatalf("%+v", w.Waits)
	}
	if w.Sentence != w.Waits[0].Because[0].Reason {
		t.Errorf("the sentence is %q", w.Sentence)
	}
}

func TestWhy_SaysHowADeploymentEnded(t *testing.T) {
	p := newPlant(t)
	p.connect()
	for _, letter := range []string{"a", "b"} {
		p.push(letter, "main", "Sell things", shopYAML)
		p.settle()
		_, err := p.client.Promote(t.Context(), "shop", "", api.Promote{Stage: "certify"})
		p.must(err)
		p.settle()
	}
	says := func(q api.WhyQuestion, about, sentence string) {
		t.Helper()
		w, err := p.client.Why(t.Context(), q)
		p.must(err)
		if w.About != about || w.Sentence != sentence {
			t.Errorf("%+v: about %q: %q, want %q", q, w.About, w.Sentence, sentence)
		}
	}
	says(api.WhyQuestion{Deployment: "shop.production.1"}, "shop.production.1", "deployment shop.production.1 of version 1 succeeded; version 2 is live in production now")
	says(api.WhyQuestion{Service: "shop"}, "shop", "nothing holds shop back")

	d, err := p.client.Deploy(t.Context(), "shop", "1", api.Deploy{Environment: "production"})
	p.must(err)
	if w, err := p.client.Why(t.Context(), api.WhyQuestion{Deployment: d.Deployment}); err != nil || w.About != d.Deployment || len(w.Waits) == 0 || w.Sentence != w.Waits[0].Reason {
		t.Errorf("of one on its way: %+v %v", w, err)
	}
	_, err = p.client.CancelDeployment(t.Context(), d.Deployment, api.Cancel{Reason: "the wrong one"})
	p.must(err)
	p.settle()
	aborted := "deployment shop.production.3 of version 1 was aborted and turned back: cancelled by admin: the wrong one; version 2 is live in production now"
	says(api.WhyQuestion{Deployment: d.Deployment}, "shop.production.3", aborted)
	says(api.WhyQuestion{Service: "shop"}, "shop", "nothing holds shop back; "+aborted)

	p.does = func(l andon.Lease) *andon.TaskResult {
		if l.Task.Kind != andon.TaskSmoke {
			return nil
		}
		return &andon.TaskResult{Outcome: andon.Failed, Reason: "GET / answered 500"}
	}
	p.push("c", "main", "Sell broken things", shopYAML)
	p.settle()
	w, err := p.client.Why(t.Context(), api.WhyQuestion{Deployment: "shop.test.3"})
	p.must(err)
	if !strings.HasPrefix(w.Sentence, "deployment shop.test.3 of version 3 failed and was turned back: ") ||
		!strings.HasSuffix(w.Sentence, "GET / answered 500; version 2 is live in test now") || len(w.Cords) != 1 {
		t.Errorf("of one that failed: %+v", w)
	}
	if _, err := p.client.Why(t.Context(), api.WhyQuestion{Deployment: "shop.test.99"}); kindOf(err) != api.KindNotFound {
		t.Errorf("of one that never was: %v", err)
	}
	_, err = p.client.RemoveService(t.Context(), "shop", "sold")
	p.must(err)
	p.settle()
	says(api.WhyQuestion{Deployment: "shop.production.1"}, "shop.production.1", "deployment shop.production.1 of version 1 succeeded; nothing of shop is live in production now")
}

// TestNew_IsQuick counts the time of processors, not the clock's: the machine has other things to do.
func TestNew_IsQuick(t *testing.T) {
	p := newPlant(t)
	best := time.Hour
	for range 5 {
		before := computed(t)
		New(p.api.Config)
		best = min(best, computed(t)-before)
	}
	t.Logf("describing the API took %s", best)
	if best > 200*time.Millisecond {
		t.Errorf("describing the API took %s", best)
	}
}

// computed returns how long processors have worked for this process.
func computed(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
