package httpapi

import (
	"context"
	"strconv"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

// catchUpTimeout bounds how long a read waits for the history to reach what was committed before
// the read came.
const catchUpTimeout = 10 * time.Second

// reads adds the routes that read.
func (a *API) reads() {
	get(a, "/api/v1/plant", "plant", "Which plant answers", a.plant)
	get(a, "/api/v1/status", "status", "The whole plant at a glance", a.status)
	get(a, "/api/v1/services", "list-services", "The services", a.listServices)
	get(a, "/api/v1/services/{service}", "get-service", "One service with what runs of it", a.getService)
	get(a, "/api/v1/services/{service}/versions", "list-versions", "The versions of a service, newest first", a.listVersions)
	get(a, "/api/v1/services/{service}/versions/{version}", "get-version", "One version in full", a.getVersion)
	get(a, "/api/v1/services/{service}/wait", "wait", "Wait until a version has come somewhere, or cannot any more", a.wait)
	get(a, "/api/v1/deployments", "list-deployments", "Deployments, those planned last first", a.listDeployments)
	get(a, "/api/v1/deployments/{deployment}", "get-deployment", "One deployment in full", a.getDeployment)
	get(a, "/api/v1/why", "why", "What holds something back", a.why)
	get(a, "/api/v1/queue", "queue", "Everything that does not move, by what it waits for in the end", a.queue)
	get(a, "/api/v1/search", "search", "What a text names: a version, a commit, a ticket, a digest, a person …", a.search)
	get(a, "/api/v1/cords", "list-cords", "Stops of the line, those pulled last first", a.listCords)
	get(a, "/api/v1/hosts", "list-hosts", "The hosts", a.listHosts)
	get(a, "/api/v1/agents", "list-agents", "The agents", a.listAgents)
	get(a, "/api/v1/estate", "get-estate", "What declared the environments last, and what they are", a.getEstate)
	get(a, "/api/v1/environments", "list-environments", "The environments", a.listEnvironments)
	get(a, "/api/v1/audit", "audit", "Everything that happened, newest first", a.audit)
	get(a, "/api/v1/today", "today", "What the head of the board says", a.today)
	get(a, "/api/v1/measures", "measures", "The figures of DORA, and those that this plant promises", a.measures)
	get(a, "/api/v1/maturity", "maturity", "Which practices of continuous delivery the plant follows, judged from its records", a.maturity)
	get(a, "/api/v1/flow", "flow", "The value stream of the changes that reached production", a.flow)
	get(a, "/api/v1/services/{service}/versions/{version}/flow", "change-flow", "How the lead time of one change divides", a.changeFlow)
	get(a, "/api/v1/logs/lines", "log-lines", "Lines of a log", a.logLines)
}

// fresh waits until the history has everything that was committed before now, so that whoever
// was told of something reads it.
func (a *API) fresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, catchUpTimeout)
	defer cancel()
	if err := a.History.WaitFor(ctx, a.Engine.Head()); err != nil {
		return andon.Errorf(andon.KindUnavailable, "the history has not caught up with the journal").WithHint("try again").Because(err)
	}
	return nil
}

// A Page is the part of a list that a reader asks for; exported for the same reason as VersionPath.
type Page struct {
	Before int64 `query:"before" minimum:"0" doc:"only older entries: the key of the last one of the page before"`
	Limit  int   `query:"limit" minimum:"0" maximum:"1000" doc:"how many at most; 0: 50"`
}

type none struct{}

func (a *API) plant(ctx context.Context, _ *none) (p api.Plant, err error) {
	err = a.Engine.View(ctx, func(s *line.State) { p.Plant = s.Plant })
	p.Build, p.Address, p.Proxy, p.Position = a.Build, a.Address(), a.Proxy(), int64(a.Engine.Head())
	return p, err
}

func (a *API) listEnvironments(ctx context.Context, _ *none) ([]api.Environment, error) {
	if err := a.fresh(ctx); err != nil {
		return nil, err
	}
	environments, err := a.History.Environments(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]api.Environment, 0, len(environments))
	for _, e := range environments {
		out = append(out, api.Environment{
			Name: string(e.Name), Strategy: api.Strategy(e.Strategy), Hosts: e.Hosts, Platform: wirePlatform(e.Platform), SoakMS: e.Soak.Milliseconds(), Declared: e.Declared.UTC(),
		})
	}
	return out, nil
}

func (a *API) listAgents(ctx context.Context, _ *none) ([]api.Agent, error) {
	var out []api.Agent
	err := a.Engine.View(ctx, func(s *line.State) { out = wireAgents(s) })
	return out, err
}

// version finds the version that a text names: a number, the beginning of a commit, or "newest".
func (a *API) version(ctx context.Context, service, text string) (andon.VersionRef, error) {
	ref := andon.VersionRef{Service: andon.ServiceName(service)}
	var newest andon.VersionNumber
	known := false
	err := a.Engine.View(ctx, func(s *line.State) {
		if svc := s.Services[ref.Service]; svc != nil {
			known, newest = true, svc.Newest
		}
	})
	if err != nil {
		return ref, err
	}
	if !known {
		return ref, errNoService(service)
	}
	if text == "" || text == "newest" {
		if newest == 0 {
			return ref, andon.Errorf(andon.KindNotFound, "%s has no version yet", service).WithHint("push a commit to it")
		}
		ref.Number = newest
		return ref, nil
	}
	number, isNumber := parseNumber(text)
	if isNumber && number <= newest {
		ref.Number = number
		return ref, nil
	}
	if isNumber && len(text) < 7 { // shorter than any commit that people write
		return ref, andon.Errorf(andon.KindNotFound, "there is no version %s %s", service, text).WithHint("the newest is %s %s", service, newest)
	}
	if !andon.BeginsCommit(text) {
		return ref, andon.Errorf(andon.KindInvalid, "%.70q is neither the number of a version nor a commit", text).
			WithHint("give a number, or at least four hexadecimal digits of a commit, in lower case")
	}
	if err := a.fresh(ctx); err != nil {
		return ref, err
	}
	found, err := a.History.FindVersion(ctx, ref.Service, text)
	ref.Number = found.Number
	return ref, err
}

// parseNumber reads the number of a version as people write it.
func parseNumber(text string) (andon.VersionNumber, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return andon.VersionNumber(n), err == nil && n > 0 && strconv.FormatInt(n, 10) == text
}

func errNoService(service string) *andon.Error {
	return andon.Errorf(andon.KindNotFound, "there is no service %.100s", service).WithHint("`andon service list` shows the services that there are")
}
