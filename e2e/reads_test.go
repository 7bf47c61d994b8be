package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/andon-cd/andon/api"
)

// status returns the plant at a glance.
func (p *plant) status() api.Status {
	p.t.Helper()
	status, err := p.client.Status(p.t.Context(), "")
	if err != nil {
		p.t.Fatal(err)
	}
	return status
}

// service returns one service with all that runs of it.
func (p *plant) service(name string) api.ServiceDetail {
	p.t.Helper()
	s, err := p.client.Service(p.t.Context(), name)
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

// version returns one version in full.
func (p *plant) version(service string, number int64) api.VersionDetail {
	p.t.Helper()
	v, err := p.client.Version(p.t.Context(), service, fmt.Sprint(number))
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

// live returns the version that is live in a place; 0: none.
func (p *plant) live(service, environment string) int64 {
	p.t.Helper()
	for _, place := range p.service(service).Places {
		if place.Environment == environment && place.Live != nil {
			return place.Live.Version
		}
	}
	return 0
}

// idle waits until nothing goes on: every version and every deployment has ended, or waits for
// a person.
func (p *plant) idle(limit time.Duration) {
	p.t.Helper()
	until(p.t, limit, "the plant comes to rest", func() error {
		ctx, cancel := context.WithTimeout(p.t.Context(), 10*time.Second)
		defer cancel()
		s, err := p.client.Status(ctx, "")
		if err != nil {
			return err
		}
		if n := s.Totals; n.OnTheirWay+n.Deployments+n.TasksRunning+n.TasksQueued > 0 || n.Healthy != n.Copies {
			why, _ := p.client.Why(ctx, api.WhyQuestion{})
			return fmt.Errorf("%+v: %s %+v", n, why.Sentence, why.Waits)
		}
		return nil
	})
}

// proxyProcess returns the process that carries requests.
func (p *plant) proxyProcess() process {
	p.t.Helper()
	all := processesOf(p.data)
	i := slices.IndexFunc(all, func(x process) bool { return strings.Contains(x.command, " proxy ") })
	if i < 0 {
		p.t.Fatal("there is no proxy")
	}
	return all[i]
}

// openCord returns the one cord that is pulled.
func (p *plant) openCord() api.Cord {
	p.t.Helper()
	cords, err := p.client.Cords(p.t.Context(), true, api.Page{})
	if err == nil && len(cords) != 1 {
		err = errors.New("want one cord")
	}
	if err != nil {
		p.t.Fatalf("%v: %+v", err, cords)
	}
	return cords[0]
}
