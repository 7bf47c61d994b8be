package browser

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/andon-cd/andon/api"
)

// A Page is one that a plant shows.
type Page struct {
	Name   string // in names of files and tests
	Kind   string // the pattern of the paths of its kind, as http.ServeMux has them
	Path   string // with its query; empty: the plant has nothing now that it could be of
	Status int    // of the answer, where it is none that says all is well
	Anyone bool   // it is for those who have not signed in
}

// Pages returns pages of all kinds that package web serves, in the states that look different, of
// what a plant has: its first service, the newest version of that which is live, and what belongs to
// them; and whatever can be acted on. Something of the service must be live.
//
// What else is served is no page: the streams of live pages (…/live), the parts that the page of a
// log fetches (/logs/rows, /logs/live, /logs/search), a log to keep (/logs/raw), what leads to a
// board (/, /board/next), and files (/static).
func Pages(ctx context.Context, client *api.Client) ([]Page, error) {
	s, err := subjectsOf(ctx, client)
	if err != nil {
		return nil, err
	}
	service := "/services/" + s.live.Service
	version := fmt.Sprintf("%s/versions/%d", service, s.live.Number)
	one := s.live.Deployments[0]
	environment := "/environments/" + one.Environment
	log := firstLog(s.live)
	return []Page{
		{Name: "board", Kind: "/board", Path: "/board"},
		{Name: "team", Kind: "/board", Path: behind("/board?team=", s.team)},
		{Name: "service", Kind: "/services/{service}", Path: service},
		{Name: "versions", Kind: "/services/{service}/versions", Path: service + "/versions"},
		{Name: "deployments", Kind: "/services/{service}/deployments", Path: service + "/deployments"},
		{Name: "version", Kind: ofVersion, Path: version},
		{Name: "version-rejected", Kind: ofVersion, Path: s.rejected},
		{Name: "deployment", Kind: ofDeployment, Path: deploymentPath(one)},
		{Name: "deployment-queued", Kind: ofDeployment, Path: s.moving},
		{Name: "deployment-failed", Kind: ofDeployment, Path: s.failed},
		{Name: "log", Kind: "/logs/{stream...}", Path: behind("/logs/", log)},
		{Name: "log-hits", Kind: "/logs/{stream...}", Path: behind(behind("/logs/", log), "?q=.&re=1&times=utc")},
		{Name: "log-copy", Kind: "/logs/{stream...}", Path: behind("/logs/", s.copyLog)},
		{Name: "queue", Kind: "/queue", Path: "/queue"},
		{Name: "environments", Kind: "/environments", Path: "/environments"},
		{Name: "environment", Kind: "/environments/{environment}", Path: environment},
		{Name: "comparison", Kind: "/environments/{environment}", Path: behind(environment+"?compare=", s.other(one.Environment))},
		{Name: "search", Kind: "/search", Path: behind("/search?q=", s.several)},
		{Name: "search-nothing", Kind: "/search", Path: "/search?q=nothing+is+called+so"},
		{Name: "flow", Kind: "/flow", Path: "/flow"},
		{Name: "measures", Kind: "/measures", Path: "/measures"},
		{Name: "measure-changes", Kind: "/measures/{measure}", Path: "/measures/lead-time"},
		{Name: "measure-deployments", Kind: "/measures/{measure}", Path: "/measures/deployments"},
		{Name: "measure-cords", Kind: "/measures/{measure}", Path: "/measures/stops"},
		{Name: "measure-nothing", Kind: "/measures/{measure}", Path: "/measures/recovery"},
		{Name: "maturity", Kind: "/maturity", Path: "/maturity"},
		{Name: "audit", Kind: "/audit", Path: "/audit"},
		{Name: "audit-all", Kind: "/audit", Path: "/audit?service=" + s.live.Service + "&show=all"},

		{Name: "deploy-choice", Kind: ofVersion + "/deploy", Path: version + "/deploy"},
		{Name: "deploy", Kind: ofVersion + "/deploy", Path: behind(version+"/deploy?environment=", s.target)},
		{Name: "promote", Kind: ofVersion + "/promote", Path: behind(s.gated, "/promote")},
		{Name: "cancel", Kind: ofVersion + "/cancel", Path: behind(s.open, "/cancel")},
		{Name: "rerun", Kind: ofVersion + "/rerun", Path: behind(s.rejected, "/rerun")},
		{Name: "abort", Kind: ofDeployment + "/cancel", Path: behind(s.moving, "/cancel")},
		{Name: "deploy-again", Kind: ofDeployment + "/rerun", Path: behind(s.failed, "/rerun")},
		{Name: "rollback", Kind: "/services/{service}/environments/{environment}/rollback", Path: behind(s.back, "/rollback")},
		{Name: "cord", Kind: "/services/{service}/cord", Path: service + "/cord?do=pull"},
		{Name: "cord-release", Kind: "/services/{service}/cord", Path: s.pulled},
		{Name: "cord-environment", Kind: "/environments/{environment}/cord", Path: environment + "/cord?do=pull"},
		{Name: "cord-plant", Kind: "/cord", Path: "/cord?do=pull"},
		{Name: "refused", Kind: ofVersion + "/deploy", Path: version + "/deploy?environment=nowhere", Status: 404},

		{Name: "failure", Kind: "/", Path: "/nowhere", Status: 404},
		{Name: "sign-in", Kind: "/board", Path: "/board", Status: 401, Anyone: true},
	}, nil
}

// The patterns that those of what can be done with a version or a deployment begin with.
const (
	ofVersion    = "/services/{service}/versions/{number}"
	ofDeployment = "/services/{service}/deployments/{deployment}"
)

// behind returns a path with what is behind it, or nothing if one of both is missing.
func behind(path, rest string) string {
	if path == "" || rest == "" {
		return ""
	}
	return path + rest
}

func versionPath(service string, number int64) string {
	return fmt.Sprintf("/services/%s/versions/%d", service, number)
}

func deploymentPath(d api.Deployment) string {
	return "/services/" + d.Service + "/deployments/" + d.ID
}

// subjects are what the pages of a plant are of. Those from team on may be empty.
type subjects struct {
	live         api.VersionDetail // the newest version of the first service that is live
	environments []string

	team     string // that a service has
	several  string // what a search finds more than one of
	copyLog  string // the log of a copy
	target   string // an environment that the live version can be deployed to
	gated    string // the page of a version that waits for a person's approval
	open     string // the page of a version that has not ended
	rejected string // the page of a version that failed
	moving   string // the page of a deployment that has not ended
	failed   string // the page of the last deployment of a place, which did not succeed
	back     string // the page of a place, which can be rolled back
	pulled   string // the page of a cord that is pulled for a service
}

func subjectsOf(ctx context.Context, client *api.Client) (s subjects, err error) {
	status, err := client.Status(ctx, "")
	if err != nil {
		return s, err
	}
	if len(status.Services) == 0 {
		return s, errors.New("the plant has no service")
	}
	if s.readStatus(status); s.live.Number == 0 {
		return s, fmt.Errorf("nothing of %s is live", s.live.Service)
	}
	for _, read := range []func(context.Context, *api.Client) error{s.readVersions, s.readPlaces, s.readDeployments, s.readQueue} {
		if err := read(ctx, client); err != nil {
			return s, err
		}
	}
	return s, nil
}

// other returns an environment other than one; empty: there is none.
func (s *subjects) other(one string) string {
	i := slices.IndexFunc(s.environments, func(name string) bool { return name != one })
	if i < 0 {
		return ""
	}
	return s.environments[i]
}

func (s *subjects) readStatus(status api.Status) {
	s.environments, s.live.Service = status.Environments, status.Services[0].Service
	for _, place := range status.Services[0].Environments {
		if place.Live != nil {
			s.live.Number = max(s.live.Number, place.Live.Version)
		}
	}
	for _, service := range status.Services {
		if s.team == "" {
			s.team = service.Team
		}
		if s.open == "" && len(service.OnItsWay) > 0 {
			s.open = versionPath(service.Service, service.OnItsWay[0].Version)
		}
	}
	for _, cord := range status.Cords {
		if cord.Scope.Kind == "service" {
			s.pulled = "/services/" + cord.Scope.Service + "/cord?cord=" + cord.ID
		}
	}
}

// readVersions finds the version that is live, where it can be deployed to, and the newest that was
// rejected.
func (s *subjects) readVersions(ctx context.Context, client *api.Client) (err error) {
	service, number := s.live.Service, fmt.Sprint(s.live.Number)
	if s.live, err = client.Version(ctx, service, number); err != nil {
		return err
	}
	for _, environment := range s.environments {
		if _, err := client.Deploy(ctx, service, number, api.Deploy{Environment: environment, PlanOnly: true}); err == nil {
			s.target = environment
		}
	}
	rejected, err := client.Versions(ctx, service, api.VersionFilter{Maturity: "rejected", Page: api.Page{Limit: 1}})
	if len(rejected) > 0 {
		s.rejected = versionPath(service, rejected[0].Number)
	}
	if err != nil {
		return err
	}
	found, err := client.Search(ctx, s.live.Author)
	if len(found.Found) > 1 {
		s.several = url.QueryEscape(s.live.Author)
	}
	return err
}

// readPlaces finds the log of a copy, and a place that can be rolled back.
func (s *subjects) readPlaces(ctx context.Context, client *api.Client) error {
	service, err := client.Service(ctx, s.live.Service)
	for _, place := range service.Places {
		if len(place.CopyList) > 0 {
			s.copyLog = place.CopyList[0].Log
		}
		if len(place.Rollback) > 0 {
			s.back = "/services/" + s.live.Service + "/environments/" + place.Environment
		}
	}
	return err
}

// readDeployments finds one that has not ended, and one that its place had last and that failed.
func (s *subjects) readDeployments(ctx context.Context, client *api.Client) error {
	all, err := client.Deployments(ctx, api.DeploymentFilter{Page: api.Page{Limit: 100}})
	last := map[string]bool{} // the places that have ended one
	for _, d := range all {
		place := d.Service + " " + d.Environment
		switch {
		case d.Ended == nil && s.moving == "":
			s.moving = deploymentPath(d)
		case d.Ended != nil && !last[place]:
			last[place] = true
			if d.Outcome != api.Succeeded && s.failed == "" {
				s.failed = deploymentPath(d)
			}
		}
	}
	return err
}

// readQueue finds a version that waits for a person's approval.
func (s *subjects) readQueue(ctx context.Context, client *api.Client) error {
	queue, err := client.Queue(ctx)
	for _, cause := range queue.Causes {
		if cause.Kind == api.WaitApproval && len(cause.Held) > 0 {
			s.gated = versionPath(cause.Held[0].Service, cause.Held[0].Version)
		}
	}
	return err
}

// firstLog returns the log of the first job that a version had.
func firstLog(v api.VersionDetail) string {
	for _, stage := range v.Stages {
		for _, task := range stage.Tasks {
			if len(task.Attempts) > 0 {
				return task.Attempts[0].Log
			}
		}
	}
	return ""
}
