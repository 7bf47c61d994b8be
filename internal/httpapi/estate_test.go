package httpapi

import (
	"errors"
	"strings"
	"testing"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

func TestFollowEstate_IsShownWithWhatIsRefusedAndKeepsItsCredential(t *testing.T) {
	p := story(t)
	p.api.Trouble = func(andon.ServiceName) error {
		return andon.Errorf(andon.KindUnreachable, "the host does not answer").Because(errors.New("token t0ken"))
	}
	follow := api.FollowEstate{Repository: "https://git.example/private/estate.git", Credential: &api.Credential{Token: "t0ken"}}
	if _, err := p.client.FollowEstate(t.Context(), follow); err != nil {
		t.Fatal(err)
	}
	commit := andon.CommitID(strings.Repeat("b", 40))
	bad := andon.Errorf(andon.KindInvalid, "unknown key").WithHint("did you mean soak?")
	bad.File, bad.Line, bad.Column = "environments/test.yaml", 1, 1
	if _, err := p.engine.Do(t.Context(), "git:ada", line.RefuseEstate{Commit: commit, Problems: []*andon.Error{bad}}); err != nil {
		t.Fatal(err)
	}
	e, err := p.client.Estate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f := e.Followed
	if f == nil || f.Repository != follow.Repository || f.Branch != "trunk" || f.By != "admin" || f.Trouble != "the host does not answer" {
		t.Fatalf("followed is %+v", f)
	}
	if r := f.Refused; r == nil || r.Commit != string(commit) || len(r.Problems) != 1 || r.Problems[0].Error() != "environments/test.yaml:1:1: unknown key" || r.Problems[0].Hint == "" {
		t.Errorf("refused is %+v", f.Refused)
	}
	if _, body := p.ask("GET", "/api/v1/estate", bearer(admin), ""); strings.Contains(body, "t0ken") {
		t.Errorf("it shows the credential: %s", body)
	}
	if c, err := p.api.Secrets.Get(andon.EstateRepository); err != nil || c.Token != "t0ken" {
		t.Errorf("the credential is %+v, %v", c, err)
	}
	if _, err := p.client.AddService(t.Context(), api.AddService{Service: "estate"}); err == nil {
		t.Error("a service can be called estate")
	}
	if c, _ := p.api.Secrets.Get(andon.EstateRepository); c.Token != "t0ken" {
		t.Error("a service called estate takes the estate's credential away")
	}
	if _, err := p.client.UnfollowEstate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c, _ := p.api.Secrets.Get(andon.EstateRepository); c.Token != "" {
		t.Error("the credential stays")
	}
	if e, err := p.client.Estate(t.Context()); err != nil || e.Followed != nil {
		t.Errorf("followed is %+v, %v", e.Followed, err)
	}
}

func TestFollowEstate_RefusesBadInput(t *testing.T) {
	p := story(t)
	for name, f := range map[string]api.FollowEstate{
		"nothing":        {},
		"a password":     {Repository: "https://ada:secret@git.example/estate.git"},
		"two at a time":  {Repository: "https://git.example/estate.git", Credential: &api.Credential{Token: "a", SSHKey: "b"}},
		"no token":       {Repository: "https://git.example/private/estate.git"},
		"nothing at all": {Repository: "  "},
	} {
		_, err := p.client.FollowEstate(t.Context(), f)
		if e, ok := errors.AsType[*api.Error](err); !ok || e.Kind == api.KindInternal || strings.Contains(e.Message, "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if e, err := p.client.Estate(t.Context()); err != nil || e.Followed != nil {
		t.Errorf("followed is %+v, %v", e.Followed, err)
	}
}

func TestApplyEstate_APlanSaysWhatThePlantWouldRefuse(t *testing.T) {
	p := story(t)
	plan := api.ApplyEstate{Plan: true, Files: []api.EstateFile{{Path: "environments/test.yaml", Text: "strategy: rolling\n"}}}
	answer, err := p.client.ApplyEstate(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Applied || len(answer.Changes) == 0 || answer.Refused == nil || !strings.Contains(answer.Refused.Message, "does not declare production any more, and shop") {
		t.Errorf("the plan is %+v", answer)
	}
	plan.Files = append(plan.Files, api.EstateFile{Path: "environments/production.yaml", Text: "soak: 1m\n"})
	if answer, err = p.client.ApplyEstate(t.Context(), plan); err != nil || answer.Refused != nil {
		t.Errorf("the plan is %+v, %v", answer, err)
	}
}
