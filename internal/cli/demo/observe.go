package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"time"

	"github.com/andon-cd/andon/api"
)

// settling bounds how long it may take until the plant knows what its agent has counted.
const settling = 15 * time.Second

// releaseFacts are what a version is where it is live: a rollback restores exactly them.
type releaseFacts struct{ artifact, config string }

// until looks again and again until there is no error, for as long as settling.
func until(ctx context.Context, look func() error) error {
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	for {
		err := look()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(glance):
		case <-ctx.Done():
			return err
		}
	}
}

// artifactIsStored asks the registry for the artifact by its digest.
func (d *demo) artifactIsStored(ctx context.Context, v api.VersionDetail) error {
	if v.Artifact == nil {
		return fmt.Errorf("version %d has no artifact", v.Number)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, d.plant.url+"/v2/"+shopName+"/manifests/"+v.Artifact.Digest, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+d.plant.token)
	req.Header.Set("Accept", "application/vnd.oci.image.manifest.v1+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if got := resp.Header.Get("Docker-Content-Digest"); resp.StatusCode != http.StatusOK || got != v.Artifact.Digest {
		return fmt.Errorf("the registry answers %s, digest %q, to the question for %s", resp.Status, got, v.Artifact.Digest)
	}
	d.saw("its tests passed, it was built once, and the registry has it as %.19s…", v.Artifact.Digest)
	return nil
}

// wasProven checks what the acceptance stage did: two copies, each smoke-tested, and a job that
// spoke to them over HTTP.
func (d *demo) wasProven(ctx context.Context, v api.VersionDetail) error {
	if err := d.isLive(ctx, "test", v.Number); err != nil {
		return err
	}
	x, err := d.deployment(ctx, v, "test")
	if err != nil {
		return err
	}
	smoked := 0
	for _, t := range x.Tasks {
		if t.Kind == api.TaskSmoke && t.Outcome == api.Succeeded {
			smoked++
		}
	}
	if smoked != 2 {
		return fmt.Errorf("%d of 2 copies in test passed their smoke test", smoked)
	}
	d.saw("it was deployed to test: 2 copies, each smoke-tested before it had traffic")
	for _, s := range v.Stages {
		if s.Stage != "acceptance" {
			continue
		}
		for _, t := range s.Tasks {
			if t.Job == "customer" && t.Outcome == api.Succeeded && len(t.Attempts) > 0 {
				return d.spokeHTTP(ctx, t.Attempts[len(t.Attempts)-1].Log)
			}
		}
	}
	return errors.New("the acceptance job did not run")
}

// spokeHTTP finds in the acceptance test's log which version answered it, and where.
func (d *demo) spokeHTTP(ctx context.Context, log string) error {
	lines, err := d.client.LogLines(ctx, log, 1, 1000)
	if err != nil {
		return err
	}
	for _, l := range lines.Lines {
		if _, where, ok := strings.Cut(l.Text, "version 1 serves customers at "); ok {
			d.saw("the acceptance test used it over HTTP, at %s", where)
			return nil
		}
	}
	return fmt.Errorf("the log %s does not say that version 1 was used over HTTP", log)
}

// deployment returns a version's newest deployment to an environment.
func (d *demo) deployment(ctx context.Context, v api.VersionDetail, environment string) (api.DeploymentDetail, error) {
	for _, x := range v.Deployments {
		if x.Environment == environment {
			return d.client.Deployment(ctx, x.ID)
		}
	}
	return api.DeploymentDetail{}, fmt.Errorf("version %d was not deployed to %s", v.Number, environment)
}

// isLive checks that the plant says that a version is live with both copies healthy and in
// traffic; in production, that it answers, too.
func (d *demo) isLive(ctx context.Context, environment string, version int64) error {
	return until(ctx, func() error {
		status, err := d.client.Status(ctx, shopName)
		if err != nil {
			return err
		}
		for _, s := range status.Services {
			for _, place := range s.Environments {
				if place.Environment == environment {
					if err := liveAs(place, version); err != nil {
						return err
					}
				}
			}
		}
		if environment != "production" {
			return nil
		}
		return d.answers(ctx, version)
	})
}

func liveAs(place api.PlaceStatus, version int64) error {
	switch c := place.Copies; {
	case place.Live == nil:
		return fmt.Errorf("nothing is live in %s", place.Environment)
	case place.Live.Version != version:
		return fmt.Errorf("version %d is live in %s, not %d", place.Live.Version, place.Environment, version)
	case c.Wanted != 2 || c.Healthy != 2 || c.InTraffic != 2:
		return fmt.Errorf("of 2 copies in %s, %d are healthy and %d in traffic", place.Environment, c.Healthy, c.InTraffic)
	}
	return nil
}

// answers asks production itself a few times. These requests count like the customers'.
func (d *demo) answers(ctx context.Context, version int64) error {
	for range 4 {
		got, err := d.load.get(ctx, "/")
		d.load.sent.Add(1)
		if err != nil {
			d.load.failed.Add(1)
			return err
		}
		if got != version {
			return fmt.Errorf("version %d answers in production, not %d", got, version)
		}
	}
	return nil
}

// customersSee waits until a version answers the customers, and checks that nobody was let down.
func (d *demo) customersSee(ctx context.Context, version int64) error {
	before := d.load.by(version)
	if err := until(ctx, func() error {
		if d.load.by(version) < before+20 {
			return fmt.Errorf("the customers do not get version %d", version)
		}
		return nil
	}); err != nil {
		return err
	}
	if failed := d.load.failed.Load(); failed > 0 {
		return fmt.Errorf("%d requests failed, the first with: %w", failed, d.load.failure())
	}
	return nil
}

// balance compares the client's count with the proxy's ledgers, in silence: they must be equal.
func (d *demo) balance(ctx context.Context) error {
	defer d.load.silence()()
	sent := d.load.sent.Load()
	var sum, failed int64
	err := until(ctx, func() error {
		all, err := d.client.Deployments(ctx, api.DeploymentFilter{Service: shopName, Environment: "production"})
		if err != nil {
			return err
		}
		sum, failed = 0, 0
		for _, x := range all {
			if x.Ledger != nil {
				sum += x.Ledger.Requests
				failed += x.Ledger.Failed + x.Ledger.Unknown + x.Ledger.ClientGone + x.Ledger.CutOff
			}
		}
		if sum != sent || failed != 0 {
			return fmt.Errorf("the client sent %d requests; the proxy counted %d, %d of them not served", sent, sum, failed)
		}
		return nil
	})
	if err == nil {
		d.saw("0 of %s requests failed, and the ledger of the proxy says the same number", thousands(sent))
	}
	return err
}

// release returns what a version is where it was deployed to production last.
func (d *demo) release(ctx context.Context, version int64) (releaseFacts, error) {
	all, err := d.client.Deployments(ctx, api.DeploymentFilter{Service: shopName, Environment: "production"})
	if err != nil {
		return releaseFacts{}, err
	}
	for _, x := range all {
		if x.Version == version && x.Outcome == api.Succeeded {
			detail, err := d.client.Deployment(ctx, x.ID)
			return releaseFacts{artifact: x.Artifact, config: detail.Plan.Changes.Configuration.To}, err
		}
	}
	return releaseFacts{}, fmt.Errorf("version %d was not deployed to production", version)
}

// failedItsSmokeTest checks that it was the smoke test that stopped a version.
func (d *demo) failedItsSmokeTest(ctx context.Context, v api.VersionDetail) error {
	x, err := d.deployment(ctx, v, "test")
	if err != nil {
		return err
	}
	for _, t := range x.Tasks {
		if t.Kind == api.TaskSmoke && t.Outcome == api.Failed {
			d.saw("its tests pass and it builds, but its smoke test fails: %s", t.Attempts[len(t.Attempts)-1].Reason)
			return nil
		}
	}
	return fmt.Errorf("no smoke test of %s failed; it ended as %s: %s", x.ID, x.Outcome, x.Reason)
}

// openCord returns the cord that stops the line.
func (d *demo) openCord(ctx context.Context) (api.Cord, error) {
	status, err := d.client.Status(ctx, "")
	if err != nil {
		return api.Cord{}, err
	}
	if status.Line != api.Stopped || len(status.Cords) != 1 {
		return api.Cord{}, fmt.Errorf("the line is %s, with %d cords pulled; it should be stopped by one", status.Line, len(status.Cords))
	}
	return status.Cords[0], nil
}

// releasedBy checks that a version released a cord by passing, and nobody else did.
func (d *demo) releasedBy(ctx context.Context, cord string, version int64) error {
	cords, err := d.client.Cords(ctx, false, api.Page{})
	if err != nil {
		return err
	}
	for _, c := range cords {
		if c.ID == cord {
			if c.Released == nil || c.FixedBy != version {
				return fmt.Errorf("%s was not released by version %d", cord, version)
			}
			return nil
		}
	}
	return fmt.Errorf("%s is not known any more", cord)
}

// deployed waits until a deployment has succeeded.
func (d *demo) deployed(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		x, err := d.client.Deployment(ctx, id)
		if err != nil {
			return err
		}
		if x.Ended != nil {
			if x.Outcome != api.Succeeded {
				return fmt.Errorf("%s ended as %s: %s", id, x.Outcome, x.Reason)
			}
			return nil
		}
		d.screen.status("%d requests, %d failed · %s: %s", d.load.sent.Load(), d.load.failed.Load(), id, x.Step)
		select {
		case <-time.After(glance):
		case <-ctx.Done():
			return fmt.Errorf("%s did not end: %s", id, x.Step)
		}
	}
}

// why shows what `andon why` says, and checks that it names what holds the line.
func (d *demo) why(ctx context.Context, cord string) error {
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	cmd := exec.CommandContext(ctx, d.config.Program, "why", shopName, "--data", d.home.plant())
	cmd.Env = plantEnvironment(d.home)
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("andon why: %w", err)
	}
	d.screen.quote("andon why "+shopName, string(out))
	for _, need := range []string{cord, "andon cord release"} {
		if !strings.Contains(string(out), need) {
			return fmt.Errorf("andon why does not speak of %q", need)
		}
	}
	d.saw("andon why says what holds the line, and how to go on")
	return nil
}
