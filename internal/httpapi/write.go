package httpapi

import (
	"context"
	"net/http"
	"strings"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/engine"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/secret"
	"github.com/andon-cd/andon/internal/vcs"
)

// writes adds the routes that command.
func (a *API) writes() {
	post(a, "/api/v1/services", "add-service", "Make a service known", a.addService)
	route(a, http.MethodDelete, "/api/v1/services/{service}", "remove-service", "Take a service out of the plant", a.removeService)
	post(a, "/api/v1/services/{service}/versions/{version}/promote", "promote", "Admit a version past a manual gate", a.promote)
	post(a, "/api/v1/services/{service}/versions/{version}/deploy", "deploy", "Ask for a version in an environment, or for the plan", a.deploy)
	post(a, "/api/v1/services/{service}/versions/{version}/cancel", "cancel-version", "End a version's way", a.cancelVersion)
	post(a, "/api/v1/services/{service}/versions/{version}/rerun", "rerun-version", "Run a stage of a version again", a.rerunVersion)
	post(a, "/api/v1/services/{service}/environments/{environment}/rollback", "rollback", "Make a version that was good live again", a.rollback)
	post(a, "/api/v1/deployments/{deployment}/cancel", "cancel-deployment", "End a deployment: what was live before comes back", a.cancelDeployment)
	post(a, "/api/v1/deployments/{deployment}/rerun", "rerun-deployment", "Ask again for a deployment that did not succeed", a.rerunDeployment)
	route(a, http.MethodPut, "/api/v1/estate", "apply-estate", "Make the environments those of a commit of the estate, or say what would change", a.applyEstate)
	route(a, http.MethodPut, "/api/v1/estate/repository", "follow-estate", "Follow a repository elsewhere that the estate is in", a.followEstate)
	route(a, http.MethodDelete, "/api/v1/estate/repository", "unfollow-estate", "Follow it no longer; the environments stay", a.unfollowEstate)
	post(a, "/api/v1/cords", "pull-cord", "Stop the line", a.pullCord)
	post(a, "/api/v1/cords/release", "release-cord", "Let the line run again", a.releaseCord)
	post(a, "/api/v1/hosts", "add-host", "The token with which a host joins, once", a.addHost)
	route(a, http.MethodDelete, "/api/v1/hosts/{host}", "remove-host", "Take a host out of the plant", a.removeHost)
	post(a, "/api/v1/agents/{agent}/token", "add-agent", "The token with which an agent connects", a.addAgent)
}

// do gives a command to the line in the name of who asks.
func (a *API) do(ctx context.Context, verb line.Verb) (api.Done, error) {
	result, err := a.Engine.Do(ctx, actor(ctx), verb)
	return done(result), err
}

// done says what follows from a command.
func done(result engine.Result) api.Done {
	d := api.Done{Position: int64(result.Seq), Events: []string{}}
	for _, e := range result.Events {
		d.Events = append(d.Events, e.Body.EventName())
		switch b := e.Body.(type) {
		case andon.DeploymentPlanned:
			d.Service, d.Version, d.Deployment = string(b.Plan.Service), int64(b.Plan.Release.Version), string(b.Plan.ID)
		case andon.CordPulled:
			d.Cord = string(b.Cord.ID)
		case andon.CordReleased:
			d.Cord = string(b.Cord)
		}
	}
	return d
}

type addServiceCommand struct{ Body api.AddService }

func (a *API) addService(ctx context.Context, c *addServiceCommand) (api.Done, error) {
	name := andon.ServiceName(c.Body.Service)
	if !andon.ValidName(c.Body.Service) {
		return api.Done{}, andon.Errorf(andon.KindInvalid, "%.100q cannot name a service", c.Body.Service).WithHint(andon.NameRule)
	}
	if name == andon.EstateRepository { // its credential is kept by that name
		return api.Done{}, andon.Errorf(andon.KindInvalid, "no service can be called %s: that is the repository of the estate", name).
			WithHint("choose another name")
	}
	source, err := sourceOf(c.Body.Repository, c.Body.Trunk)
	if err != nil {
		return api.Done{}, err
	}
	credential, err := credentialOf(c.Body.Credential)
	if err != nil {
		return api.Done{}, err
	}
	if source.URL != "" {
		if source.Trunk, err = a.Reachable(ctx, source.URL, source.Trunk, credential); err != nil {
			return api.Done{}, err
		}
	}
	if source.Trunk == "" {
		source.Trunk = "main"
	}
	// The watcher may look at the repository as soon as the service is known.
	kept, err := a.keepCredential(ctx, name, credential)
	if err != nil {
		return api.Done{}, err
	}
	d, err := a.do(ctx, line.AddService{Service: name, Source: source})
	if err != nil {
		kept()
		return api.Done{}, err
	}
	d.Service = string(name)
	return d, nil
}

// sourceOf returns the repository that an address names. Whoever reads the journal reads that, so
// there must be no secret in it.
func sourceOf(address, trunk string) (andon.Source, error) {
	source := andon.Source{URL: strings.TrimSpace(address), Trunk: trunk}
	if vcs.HoldsSecret(source.URL) {
		return andon.Source{}, andon.Errorf(andon.KindInvalid, "the address of the repository has a user or a password in it").
			WithHint("give them beside it, so that they are kept as secrets")
	}
	return source, nil
}

func credentialOf(c *api.Credential) (secret.Credential, error) {
	if c == nil {
		return secret.Credential{}, nil
	}
	if c.Token != "" && c.SSHKey != "" {
		return secret.Credential{}, andon.Errorf(andon.KindInvalid, "a repository takes either a token or an SSH key")
	}
	return secret.Credential{User: c.User, Token: c.Token, SSHKey: c.SSHKey, Hook: c.HookSecret}, nil
}

// keepCredential keeps the credential of a service that is about to be added. The function that
// it returns takes that back.
func (a *API) keepCredential(ctx context.Context, name andon.ServiceName, c secret.Credential) (undo func(), err error) {
	known := false
	if err := a.Engine.View(ctx, func(s *line.State) { known = s.Services[name] != nil }); err != nil {
		return nil, err
	}
	if known {
		return nil, andon.Errorf(andon.KindConflict, "there is a service %s already", name).
			WithHint("remove it first: `andon service remove %s`", name)
	}
	if c == (secret.Credential{}) {
		return func() {}, a.Secrets.Delete(name) // what a removed service of that name left
	}
	if err := a.Secrets.Put(name, c); err != nil {
		return nil, err
	}
	return func() {
		if err := a.Secrets.Delete(name); err != nil {
			a.Log.Warn("the credential of a service that was not added stays", "service", name, "err", err)
		}
	}, nil
}

type removeServiceCommand struct {
	Service string `path:"service"`
	Reason  string `query:"reason"`
}

func (a *API) removeService(ctx context.Context, c *removeServiceCommand) (api.Done, error) {
	name := andon.ServiceName(c.Service)
	d, err := a.do(ctx, line.RemoveService{Service: name, Reason: c.Reason})
	if err != nil {
		return d, err
	}
	if err := a.Secrets.Delete(name); err != nil {
		a.Log.Warn("the credential of a removed service stays", "service", name, "err", err)
	}
	d.Service = c.Service
	return d, nil
}

// ofVersion gives a command about the version that a path names.
func (a *API) ofVersion(ctx context.Context, service, version string, verb func(andon.VersionRef) line.Verb) (api.Done, error) {
	ref, err := a.version(ctx, service, version)
	if err != nil {
		return api.Done{}, err
	}
	d, err := a.do(ctx, verb(ref))
	d.Service, d.Version = service, int64(ref.Number)
	return d, err
}

type promoteCommand struct {
	VersionPath
	Body api.Promote
}

func (a *API) promote(ctx context.Context, c *promoteCommand) (api.Done, error) {
	if c.Body.PlanOnly {
		ref, err := a.version(ctx, c.Service, c.Version)
		if err != nil {
			return api.Done{}, err
		}
		return a.planned(ctx, line.Promote{Version: ref, Stage: andon.StageName(c.Body.Stage), Reason: c.Body.Reason})
	}
	return a.ofVersion(ctx, c.Service, c.Version, func(ref andon.VersionRef) line.Verb {
		return line.Promote{Version: ref, Stage: andon.StageName(c.Body.Stage), Reason: c.Body.Reason}
	})
}

type deployCommand struct {
	VersionPath
	Body api.Deploy
}

func (a *API) deploy(ctx context.Context, c *deployCommand) (api.Done, error) {
	ref, err := a.version(ctx, c.Service, c.Version)
	if err != nil {
		return api.Done{}, err
	}
	verb := line.Deploy{Version: ref, Environment: andon.EnvironmentName(c.Body.Environment), Reason: c.Body.Reason}
	d, err := a.planned(ctx, verb)
	if err != nil || c.Body.PlanOnly {
		return d, err
	}
	plan := d.Plan
	if d, err = a.do(ctx, verb); err != nil {
		return api.Done{}, err
	}
	d.Service, d.Version, d.Plan = c.Service, int64(ref.Number), plan
	return d, nil
}

// previewed are the commands that can say what they would do.
type previewed interface {
	Preview(s *line.State, by andon.Actor) (line.Preview, error)
}

// planned says what a command would do as things are now, and does nothing.
func (a *API) planned(ctx context.Context, verb previewed) (api.Done, error) {
	if err := a.fresh(ctx); err != nil {
		return api.Done{}, err
	}
	var p line.Preview
	var refused error
	if err := a.Engine.View(ctx, func(s *line.State) { p, refused = verb.Preview(s, actor(ctx)) }); err != nil {
		return api.Done{}, err
	}
	if refused != nil {
		return api.Done{}, refused
	}
	plan, err := a.planFor(ctx, p)
	return api.Done{
		Position: int64(a.Engine.Head()), Events: []string{}, Service: plan.Service, Version: plan.Version, Plan: &plan,
	}, err
}

type cancelVersionCommand struct {
	VersionPath
	Body api.Cancel
}

func (a *API) cancelVersion(ctx context.Context, c *cancelVersionCommand) (api.Done, error) {
	return a.ofVersion(ctx, c.Service, c.Version, func(ref andon.VersionRef) line.Verb {
		return line.Cancel{Version: ref, Stage: andon.StageName(c.Body.Stage), Reason: c.Body.Reason}
	})
}

type rerunVersionCommand struct {
	VersionPath
	Body api.Rerun
}

func (a *API) rerunVersion(ctx context.Context, c *rerunVersionCommand) (api.Done, error) {
	return a.ofVersion(ctx, c.Service, c.Version, func(ref andon.VersionRef) line.Verb {
		return line.Rerun{Version: ref, Stage: andon.StageName(c.Body.Stage)}
	})
}

type rollbackCommand struct {
	Service     string `path:"service"`
	Environment string `path:"environment"`
	Body        api.Rollback
}

func (a *API) rollback(ctx context.Context, c *rollbackCommand) (api.Done, error) {
	verb := line.Rollback{Place: andon.Place{Service: andon.ServiceName(c.Service), Environment: andon.EnvironmentName(c.Environment)}, Reason: c.Body.Reason}
	if c.Body.To != "" {
		ref, err := a.version(ctx, c.Service, c.Body.To)
		if err != nil {
			return api.Done{}, err
		}
		verb.To = ref.Number
	}
	if c.Body.PlanOnly {
		return a.planned(ctx, verb)
	}
	d, err := a.do(ctx, verb)
	d.Service = c.Service
	return d, err
}

type cancelDeploymentCommand struct {
	DeploymentPath
	Body api.Cancel
}

func (a *API) cancelDeployment(ctx context.Context, c *cancelDeploymentCommand) (api.Done, error) {
	if c.Body.Stage != "" {
		return api.Done{}, andon.Errorf(andon.KindInvalid, "a deployment has no stage to cancel").WithHint("name the version instead")
	}
	d, err := a.do(ctx, line.Cancel{Deployment: andon.DeploymentID(c.Deployment), Reason: c.Body.Reason})
	d.Deployment = c.Deployment
	return d, err
}

func (a *API) rerunDeployment(ctx context.Context, c *DeploymentPath) (api.Done, error) {
	return a.do(ctx, line.Rerun{Deployment: andon.DeploymentID(c.Deployment)})
}

type pullCordCommand struct{ Body api.PullCord }

func (a *API) pullCord(ctx context.Context, c *pullCordCommand) (api.Done, error) {
	return a.do(ctx, line.PullCord{Scope: scopeOf(c.Body.Scope), Reason: c.Body.Reason})
}

type releaseCordCommand struct{ Body api.ReleaseCord }

func (a *API) releaseCord(ctx context.Context, c *releaseCordCommand) (api.Done, error) {
	if (c.Body.Cord == "") == (c.Body.Scope == nil) {
		return api.Done{}, andon.Errorf(andon.KindInvalid, "either a cord or a scope says what to release")
	}
	verb := line.ReleaseCord{Cord: andon.CordID(c.Body.Cord), Reason: c.Body.Reason}
	if c.Body.Scope != nil {
		verb.Scope = scopeOf(*c.Body.Scope)
	}
	return a.do(ctx, verb)
}

type agentQuestion struct {
	Agent string `path:"agent"`
}

func (a *API) addAgent(_ context.Context, c *agentQuestion) (api.AddedAgent, error) {
	if !andon.ValidName(c.Agent) {
		return api.AddedAgent{}, andon.Errorf(andon.KindInvalid, "%.100q cannot name an agent", c.Agent).WithHint(andon.NameRule)
	}
	return api.AddedAgent{Agent: c.Agent, Token: a.Keys.AgentToken(andon.AgentName(c.Agent))}, nil
}
