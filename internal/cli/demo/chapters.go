package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
)

// allowed is how long the first version may take from its push to production.
const allowed = time.Minute

// first takes version 1 to production, and then lets the customers in.
func (d *demo) first(ctx, loading context.Context) error {
	j, err := d.push(ctx, 1)
	if err != nil {
		return err
	}
	v, err := d.follow(ctx, j)
	if err != nil {
		return err
	}
	if err := whole(v); err != nil {
		return err
	}
	if err := d.artifactIsStored(ctx, v); err != nil {
		return err
	}
	if err := d.wasProven(ctx, v); err != nil {
		return err
	}
	d.saw("it became a release candidate, then certified")
	if err := d.isLive(ctx, "production", 1); err != nil {
		return err
	}
	took := j.production.Sub(j.pushed)
	if took > allowed {
		return fmt.Errorf("version 1 took %s from push to production, more than %s", span(took), andon.Brief(allowed))
	}
	d.saw("it is live in production %s after the push, and answers there", span(took))
	d.load.start(loading)
	return nil
}

// underLoad deploys version 2 while customers use version 1.
func (d *demo) underLoad(ctx context.Context) error {
	j, err := d.push(ctx, 2)
	if err != nil {
		return err
	}
	v, err := d.follow(ctx, j)
	if err != nil {
		return err
	}
	if err := whole(v); err != nil {
		return err
	}
	if err := d.isLive(ctx, "production", 2); err != nil {
		return err
	}
	if err := d.customersSee(ctx, 2); err != nil {
		return err
	}
	if d.good, err = d.release(ctx, 2); err != nil {
		return err
	}
	return d.balance(ctx)
}

// stopTheLine pushes a version that works in its tests and not where it is deployed.
func (d *demo) stopTheLine(ctx context.Context) error {
	j, err := d.push(ctx, 3)
	if err != nil {
		return err
	}
	v, err := d.follow(ctx, j)
	if err != nil {
		return err
	}
	if j.built.IsZero() || v.Artifact == nil {
		return fmt.Errorf("version 3 should build: %s", v.Reason)
	}
	if v.Outcome != api.Failed || v.Maturity != api.Rejected {
		return fmt.Errorf("version 3 should be rejected; it ended as %s, %s", v.Outcome, v.Maturity)
	}
	if err := d.failedItsSmokeTest(ctx, v); err != nil {
		return err
	}
	cord, err := d.openCord(ctx)
	if err != nil {
		return err
	}
	if cord.Fix == nil || cord.Fix.Broken != 3 {
		return fmt.Errorf("the line should be stopped by version 3: %s", cord.Reason)
	}
	d.saw("the line is stopped (%s): %s", cord.ID, cord.Reason)
	for _, environment := range []string{"test", "production"} {
		if err := d.isLive(ctx, environment, 2); err != nil {
			return err
		}
	}
	d.saw("test and production still answer with version 2")
	return d.why(ctx, cord.ID)
}

// repair pushes the version that makes it good.
func (d *demo) repair(ctx context.Context) error {
	cord, err := d.openCord(ctx)
	if err != nil {
		return err
	}
	j, err := d.push(ctx, 4)
	if err != nil {
		return err
	}
	v, err := d.follow(ctx, j)
	if err != nil {
		return err
	}
	if err := whole(v); err != nil {
		return err
	}
	if err := d.releasedBy(ctx, cord.ID, 4); err != nil {
		return err
	}
	d.saw("it passed what stopped the line, and %s was released by itself", cord.ID)
	if err := d.isLive(ctx, "production", 4); err != nil {
		return err
	}
	if err := d.customersSee(ctx, 4); err != nil {
		return err
	}
	return d.balance(ctx)
}

// rollBack makes version 2 live again.
func (d *demo) rollBack(ctx context.Context) error {
	started := time.Now()
	answer, err := d.client.Rollback(ctx, shopName, "production", api.Rollback{Reason: "the demo shows how"})
	if err != nil {
		return err
	}
	if err := d.deployed(ctx, answer.Deployment); err != nil {
		return err
	}
	took := time.Since(started)
	if err := d.isLive(ctx, "production", 2); err != nil {
		return err
	}
	now, err := d.release(ctx, 2)
	if err != nil {
		return err
	}
	if now != d.good {
		return fmt.Errorf("version 2 came back as %+v; it was %+v", now, d.good)
	}
	d.saw("version 2 is live again after %s: the same artifact %.12s, the same configuration %.12s", span(took), bare(now.artifact), bare(now.config))
	v, err := d.client.Version(ctx, shopName, "4")
	if err != nil {
		return err
	}
	if v.Maturity != api.Quarantined {
		return fmt.Errorf("version 4 should be quarantined; it is %s", v.Maturity)
	}
	d.saw("version 4 is quarantined: nothing brings it back by itself")
	if err := d.customersSee(ctx, 2); err != nil {
		return err
	}
	return d.balance(ctx)
}
