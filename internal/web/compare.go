package web

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strconv"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/deploy"
	"github.com/andon-cd/andon/internal/estate"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/line"
)

// How much one page of a comparison shows.
const (
	mostDifferences = 25
	mostCommits     = 10 // of one service
)

// A comparison is what differs between two environments.
type comparison struct {
	One, Other  andon.EnvironmentName
	Settings    []estate.Change // of the environments themselves
	Services    int             // that are in one of both, or in both
	Alike       int             // of them, those with the same artifact and settings
	Differences []difference
	Next        string // address of the next page; empty: this is the last
}

// A difference is one service that two environments have otherwise.
type difference struct {
	Service    andon.ServiceName
	One, Other *andon.Release // nil: it is not there
	Variables  []deploy.KeyDifference
	Settings   []deploy.KeyDifference
	Newer      andon.EnvironmentName // that has the later version
	Between    []history.VersionSummary
	More       int // versions between that are not named
}

// SameArtifact reports whether both run the same program.
func (d difference) SameArtifact() bool {
	return d.One != nil && d.Other != nil && d.One.Artifact == d.Other.Artifact
}

func comparePath(one, other andon.EnvironmentName, from andon.ServiceName) string {
	q := url.Values{"compare": {string(other)}}
	if from != "" {
		q.Set("from", string(from))
	}
	return environmentPath(one) + "?" + q.Encode()
}

// describeComparison says which two environments are compared, from which service on.
func (p *pages) describeComparison(one, other andon.EnvironmentName, from andon.ServiceName) livePage {
	return livePage{
		path: comparePath(one, other, from), title: string(one) + " and " + string(other), class: "compare", template: p.environments.compared,
		parts: []string{"compare"},
		read:  func(ctx context.Context) (any, error) { return p.readComparison(ctx, one, other, from) },
	}
}

func (p *pages) readComparison(ctx context.Context, one, other andon.EnvironmentName, from andon.ServiceName) (c comparison, err error) {
	c = comparison{One: one, Other: other}
	var problem error
	err = p.Engine.View(ctx, func(s *line.State) {
		a, b := s.Environments[one], s.Environments[other]
		switch {
		case a == nil:
			problem = noEnvironment(one)
		case b == nil:
			problem = noEnvironment(other)
		default:
			c.Settings = estate.Compare(*a, *b)
			c.read(s, from)
		}
	})
	if err == nil {
		err = problem
	}
	for i := range c.Differences {
		if err == nil {
			err = p.explain(ctx, &c.Differences[i], one, other)
		}
	}
	return c, err
}

// read notes the services that differ, as many as one page holds, and counts all.
func (c *comparison) read(s *line.State, from andon.ServiceName) {
	for _, name := range slices.Sorted(maps.Keys(s.Services)) {
		one, other := liveIn(s, name, c.One), liveIn(s, name, c.Other)
		if one == nil && other == nil {
			continue
		}
		c.Services++
		switch {
		case one != nil && other != nil && one.Artifact == other.Artifact && one.Config == other.Config:
			c.Alike++
		case name < from:
		case len(c.Differences) < mostDifferences:
			c.Differences = append(c.Differences, difference{Service: name, One: copied(one), Other: copied(other)})
		case c.Next == "":
			c.Next = comparePath(c.One, c.Other, name)
		}
	}
}

func liveIn(s *line.State, service andon.ServiceName, env andon.EnvironmentName) *andon.Release {
	if p := s.PlaceOf(andon.Place{Service: service, Environment: env}); p != nil {
		return p.Live
	}
	return nil
}

// copied returns a release that outlives the look at the state. What it refers to never changes.
func copied(r *andon.Release) *andon.Release {
	if r == nil {
		return nil
	}
	c := *r
	return &c
}

// explain says which settings differ, and which versions are between the two.
func (p *pages) explain(ctx context.Context, d *difference, one, other andon.EnvironmentName) (err error) {
	if d.One == nil || d.Other == nil {
		return nil
	}
	d.Variables, d.Settings = deploy.Variables(d.One.Spec, d.Other.Spec), deploy.Settings(d.One.Spec, d.Other.Spec)
	if one, other := d.One.Spec.Instances, d.Other.Spec.Instances; one != other { // a plan tells them elsewhere
		d.Settings = append(d.Settings, deploy.KeyDifference{Key: "instances", Change: deploy.KeyChanged, From: strconv.Itoa(one), To: strconv.Itoa(other)})
	}
	older, newer := d.One, d.Other
	d.Newer = other
	if older.Version > newer.Version {
		older, newer, d.Newer = newer, older, one
	}
	if older.Version == newer.Version {
		return nil
	}
	d.Between, err = p.History.Between(ctx, andon.Plan{Place: andon.Place{Service: d.Service}, Release: *newer, Previous: older})
	if n := len(d.Between); n > mostCommits {
		d.Between, d.More = d.Between[:mostCommits], n-mostCommits
	}
	return err
}
