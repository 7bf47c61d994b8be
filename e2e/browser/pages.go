package browser

import (
	"context"
	"errors"
	"fmt"

	"github.com/andon-cd/andon/api"
)

// A Page is one that a plant shows.
type Page struct {
	Name   string // in names of files and tests
	Path   string
	Status int  // of the answer, where it is none that says all is well
	Anyone bool // it is for those who have not signed in
}

// Pages returns a page of every kind, of what a plant has: its first service, the newest version and
// deployment of that, and what belongs to them. The plant must have deployed something.
func Pages(ctx context.Context, client *api.Client) ([]Page, error) {
	services, err := client.Services(ctx, false)
	if err != nil {
		return nil, err
	}
	if len(services) == 0 {
		return nil, errors.New("the plant has no service")
	}
	name := services[0].Name
	live, err := newestDeployed(ctx, client, name)
	if err != nil {
		return nil, err
	}
	service := "/services/" + name
	version := fmt.Sprintf("%s/versions/%d", service, live.Number)
	deployment := live.Deployments[len(live.Deployments)-1]
	return []Page{
		{Name: "board", Path: "/board"},
		{Name: "service", Path: service},
		{Name: "versions", Path: service + "/versions"},
		{Name: "deployments", Path: service + "/deployments"},
		{Name: "version", Path: version},
		{Name: "deployment", Path: service + "/deployments/" + deployment.ID},
		{Name: "rollback", Path: service + "/environments/production/rollback"},
		{Name: "deploy", Path: version + "/deploy"},
		{Name: "log", Path: "/logs/" + firstLog(live)},
		{Name: "cord", Path: service + "/cord"},
		{Name: "flow", Path: "/flow"},
		{Name: "measures", Path: "/measures"},
		{Name: "failure", Path: "/nowhere", Status: 404},
		{Name: "sign-in", Path: "/board", Status: 401, Anyone: true},
	}, nil
}

// newestDeployed returns the newest version that was deployed somewhere.
func newestDeployed(ctx context.Context, client *api.Client, service string) (api.VersionDetail, error) {
	newest, err := client.Version(ctx, service, "")
	for err == nil && len(newest.Deployments) == 0 {
		if newest.Number == 1 {
			return newest, fmt.Errorf("nothing of %s was deployed yet", service)
		}
		newest, err = client.Version(ctx, service, fmt.Sprint(newest.Number-1))
	}
	return newest, err
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
