package api

import (
	"context"
	"net/http"
	"net/url"
)

// AddService makes a service known.
func (c *Client) AddService(ctx context.Context, s AddService) (d Done, err error) {
	return d, c.post(ctx, path("services"), s, &d)
}

// RemoveService takes a service out of the plant.
func (c *Client) RemoveService(ctx context.Context, service, reason string) (d Done, err error) {
	return d, c.do(ctx, http.MethodDelete, path("services", service), values{}.text("reason", reason).Values(), nil, &d)
}

// Promote admits a version past a manual gate.
func (c *Client) Promote(ctx context.Context, service, version string, p Promote) (d Done, err error) {
	return d, c.post(ctx, path("services", service, "versions", newest(version), "promote"), p, &d)
}

// Deploy asks for a version in an environment, or only for the plan.
func (c *Client) Deploy(ctx context.Context, service, version string, p Deploy) (d Done, err error) {
	return d, c.post(ctx, path("services", service, "versions", newest(version), "deploy"), p, &d)
}

// Rollback makes a version that was good in an environment live there again.
func (c *Client) Rollback(ctx context.Context, service, environment string, r Rollback) (d Done, err error) {
	return d, c.post(ctx, path("services", service, "environments", environment, "rollback"), r, &d)
}

// CancelVersion ends a version's way.
func (c *Client) CancelVersion(ctx context.Context, service, version string, x Cancel) (d Done, err error) {
	return d, c.post(ctx, path("services", service, "versions", newest(version), "cancel"), x, &d)
}

// CancelDeployment ends a deployment: what was live before comes back.
func (c *Client) CancelDeployment(ctx context.Context, id string, x Cancel) (d Done, err error) {
	return d, c.post(ctx, path("deployments", id, "cancel"), x, &d)
}

// RerunVersion runs a stage of a version again.
func (c *Client) RerunVersion(ctx context.Context, service, version string, r Rerun) (d Done, err error) {
	return d, c.post(ctx, path("services", service, "versions", newest(version), "rerun"), r, &d)
}

// RerunDeployment asks again for a deployment that did not succeed.
func (c *Client) RerunDeployment(ctx context.Context, id string) (d Done, err error) {
	return d, c.post(ctx, path("deployments", id, "rerun"), struct{}{}, &d)
}

// PullCord stops the line.
func (c *Client) PullCord(ctx context.Context, p PullCord) (d Done, err error) {
	return d, c.post(ctx, path("cords"), p, &d)
}

// ReleaseCord lets the line run again.
func (c *Client) ReleaseCord(ctx context.Context, r ReleaseCord) (d Done, err error) {
	return d, c.post(ctx, path("cords", "release"), r, &d)
}

// AddAgent returns the token with which the agent of that name connects.
func (c *Client) AddAgent(ctx context.Context, name string) (a AddedAgent, err error) {
	return a, c.post(ctx, path("agents", name, "token"), struct{}{}, &a)
}

func (c *Client) post(ctx context.Context, path string, question, answer any) error {
	return c.do(ctx, http.MethodPost, path, url.Values{}, question, answer)
}
