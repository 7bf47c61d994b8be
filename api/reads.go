package api

import (
	"context"
	"net/url"
	"strconv"
)

// Plant says which plant answers.
func (c *Client) Plant(ctx context.Context) (p Plant, err error) {
	return p, c.get(ctx, path("plant"), nil, &p)
}

// Status returns the whole plant at a glance; with a service, only that one.
func (c *Client) Status(ctx context.Context, service string) (s Status, err error) {
	return s, c.get(ctx, path("status"), values{}.text("service", service).Values(), &s)
}

// Services lists the services; with removed, also those that were removed.
func (c *Client) Services(ctx context.Context, removed bool) (s []Service, err error) {
	return s, c.get(ctx, path("services"), values{}.flag("removed", removed).Values(), &s)
}

// Service returns one service with what runs of it.
func (c *Client) Service(ctx context.Context, service string) (s ServiceDetail, err error) {
	return s, c.get(ctx, path("services", service), nil, &s)
}

// A Page selects a part of a list: entries older than Before (0: from the newest on), at most
// Limit (0: 50; at most 1000).
type Page struct {
	Before int64
	Limit  int
}

// A VersionFilter selects versions of a service. Empty fields select all.
type VersionFilter struct {
	Branch   string
	Maturity Maturity
	Page     // Before is a version's number
}

// Versions lists versions of a service, newest first.
func (c *Client) Versions(ctx context.Context, service string, f VersionFilter) (v []Version, err error) {
	q := values{}.text("branch", f.Branch).text("maturity", string(f.Maturity)).page(f.Page)
	return v, c.get(ctx, path("services", service, "versions"), q.Values(), &v)
}

// Version returns one version in full; version is a number, the beginning of a commit, or empty
// for the newest one.
func (c *Client) Version(ctx context.Context, service, version string) (v VersionDetail, err error) {
	return v, c.get(ctx, path("services", service, "versions", newest(version)), nil, &v)
}

// newest is how a path says that it means the newest version.
func newest(version string) string {
	if version == "" {
		return "newest"
	}
	return version
}

// A DeploymentFilter selects deployments. Empty fields select all.
type DeploymentFilter struct {
	Service     string
	Environment string
	Outcome     Outcome
	Page        // Before is a position
}

// Deployments lists deployments, those planned last first.
func (c *Client) Deployments(ctx context.Context, f DeploymentFilter) (d []Deployment, err error) {
	q := values{}.text("service", f.Service).text("environment", f.Environment).text("outcome", string(f.Outcome)).page(f.Page)
	return d, c.get(ctx, path("deployments"), q.Values(), &d)
}

// Deployment returns one deployment in full.
func (c *Client) Deployment(ctx context.Context, id string) (d DeploymentDetail, err error) {
	return d, c.get(ctx, path("deployments", id), nil, &d)
}

// A WhyQuestion says what to ask about: everything, or a service with perhaps a version or an
// environment, or a deployment, or a cord.
type WhyQuestion struct {
	Service     string
	Version     string // a number, the beginning of a commit, or "newest"
	Environment string
	Deployment  string
	Cord        string
}

// Why says what holds something back, and of a deployment that has ended, how it did.
func (c *Client) Why(ctx context.Context, q WhyQuestion) (w Why, err error) {
	v := values{}.text("service", q.Service).text("version", q.Version).text("environment", q.Environment).
		text("deployment", q.Deployment).text("cord", q.Cord)
	return w, c.get(ctx, path("why"), v.Values(), &w)
}

// Queue lists everything that does not move, by what it waits for in the end.
func (c *Client) Queue(ctx context.Context) (q Queue, err error) {
	return q, c.get(ctx, path("queue"), nil, &q)
}

// Search finds what a text names: a version, a deployment, a service, a commit, a ticket, a digest, a
// person, or words of a message.
func (c *Client) Search(ctx context.Context, text string) (s Search, err error) {
	return s, c.get(ctx, path("search"), values{}.text("q", text).Values(), &s)
}

// Cords lists cords, those pulled last first; with open, only those that are pulled.
func (c *Client) Cords(ctx context.Context, open bool, p Page) (l []Cord, err error) {
	return l, c.get(ctx, path("cords"), values{}.flag("open", open).page(p).Values(), &l)
}

// Agents lists the agents.
func (c *Client) Agents(ctx context.Context) (a []Agent, err error) {
	return a, c.get(ctx, path("agents"), nil, &a)
}

// Environments lists the environments.
func (c *Client) Environments(ctx context.Context) (e []Environment, err error) {
	return e, c.get(ctx, path("environments"), nil, &e)
}

// An AuditFilter selects entries of the audit. Empty fields select all.
type AuditFilter struct {
	Service     string
	Environment string // what is about it, and what is about no environment alone
	Changes     bool   // only what changed what runs, or could
	Page
}

// Audit lists what happened, newest first.
func (c *Client) Audit(ctx context.Context, f AuditFilter) (e []Entry, err error) {
	q := values{}.text("service", f.Service).text("environment", f.Environment).flag("changes", f.Changes).page(f.Page)
	return e, c.get(ctx, path("audit"), q.Values(), &e)
}

// values are the parameters of a query, without those that have no value.
type values map[string]string

func (v values) text(key, value string) values {
	if value != "" {
		v[key] = value
	}
	return v
}

func (v values) number(key string, value int64) values {
	if value != 0 {
		v[key] = strconv.FormatInt(value, 10)
	}
	return v
}

func (v values) flag(key string, value bool) values {
	if value {
		v[key] = "true"
	}
	return v
}

func (v values) page(p Page) values {
	return v.number("before", p.Before).number("limit", int64(p.Limit))
}

// Values returns the parameters in the form of package url.
func (v values) Values() url.Values {
	q := make(url.Values, len(v))
	for key, value := range v {
		q.Set(key, value)
	}
	return q
}
