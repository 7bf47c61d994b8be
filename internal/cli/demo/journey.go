package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
)

const (
	// glance is how often a version on its way is looked at.
	glance = 150 * time.Millisecond
	// patience bounds how long one version's way may take.
	patience = 5 * time.Minute
)

// A journey is a version's way, with the time at which each leg ended; zero: it did not get there.
type journey struct {
	version    int64
	subject    string
	pushed     time.Time
	built      time.Time
	test       time.Time
	candidate  time.Time
	certified  time.Time
	production time.Time
}

// push makes a version, pushes it, and returns when the plant says that it exists.
func (d *demo) push(ctx context.Context, number int64) (*journey, error) {
	if number > 1 {
		if err := d.repo.edit(ctx, int(number)); err != nil {
			return nil, err
		}
	}
	j := &journey{version: number, pushed: time.Now()}
	d.screen.status("git push …")
	if err := d.repo.push(ctx); err != nil {
		return nil, err
	}
	head, err := d.repo.head()
	if err != nil {
		return nil, err
	}
	v, err := d.client.Version(ctx, shopName, "")
	if err != nil {
		return nil, err
	}
	if v.Number != number || v.Commit != head {
		return nil, fmt.Errorf("the push of %.10s should have made version %d; the newest is %d, of %.10s", head, number, v.Number, v.Commit)
	}
	j.subject = v.Subject
	d.journeys = append(d.journeys, j)
	d.saw("%q is pushed with git, and is version %d", v.Subject, number)
	return j, nil
}

// follow shows a version on its way until the way has ended, and returns it as it is then.
func (d *demo) follow(ctx context.Context, j *journey) (api.VersionDetail, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	told := 0
	for {
		v, err := d.client.Version(ctx, shopName, strconv.FormatInt(j.version, 10))
		if err != nil {
			return v, err
		}
		for told < len(v.Stages) && v.Stages[told].Ended != nil {
			d.screen.step(v.Stages[told])
			told++
		}
		if v.Ended != nil {
			return v, j.read(v)
		}
		d.screen.status("%s", d.moment(v, j))
		select {
		case <-time.After(glance):
		case <-d.plant.exited:
			return v, errors.New("the plant's server ended")
		case <-ctx.Done():
			return v, fmt.Errorf("version %d is still on its way after %s", j.version, andon.Brief(patience))
		}
	}
}

// moment says in one line where a version is now.
func (d *demo) moment(v api.VersionDetail, j *journey) string {
	text := fmt.Sprintf("version %d, %s: %s", v.Number, span(time.Since(j.pushed)), v.Stage)
	for waits := v.Waits; len(waits) > 0; waits = waits[0].Because {
		if len(waits[0].Because) == 0 {
			text += ", " + waits[0].Reason
		}
	}
	if sent := d.load.sent.Load(); sent > 0 {
		text = fmt.Sprintf("%d requests, %d failed · %s", sent, d.load.failed.Load(), text)
	}
	return text
}

// read takes the times of the legs from the plant's record.
func (j *journey) read(v api.VersionDetail) error {
	for _, s := range v.Stages {
		if s.Outcome != api.Succeeded || s.Ended == nil {
			continue
		}
		switch s.Stage {
		case "commit":
			j.built = *s.Ended
		case "production":
			j.production = *s.Ended
		}
	}
	for _, m := range v.Maturities {
		switch m.To {
		case api.ReleaseCandidate:
			j.candidate = m.Time
		case api.Certified:
			j.certified = m.Time
		}
	}
	for _, x := range v.Deployments {
		if x.Environment == "test" && x.Outcome == api.Succeeded && x.Ended != nil {
			j.test = *x.Ended
		}
	}
	return nil
}

// whole checks that a version earned everything, in order, and is live where it should be.
func whole(v api.VersionDetail) error {
	if v.Outcome != api.Succeeded {
		return fmt.Errorf("version %d ended as %s: %s", v.Number, v.Outcome, v.Reason)
	}
	var earned []api.Maturity
	for _, m := range v.Maturities {
		earned = append(earned, m.To)
	}
	if want := []api.Maturity{api.ReleaseCandidate, api.Certified}; !slices.Equal(earned, want) {
		return fmt.Errorf("version %d earned %v, not %v", v.Number, earned, want)
	}
	for _, environment := range []string{"test", "production"} {
		if !slices.Contains(v.LiveIn, environment) {
			return fmt.Errorf("version %d is not live in %s", v.Number, environment)
		}
	}
	return nil
}
