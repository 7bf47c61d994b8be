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
	p.T.Helper()
	status, err := p.Client.Status(p.T.Context(), "")
	if err != nil {
		p.T.Fatal(err)
	}
	return status
}

// service returns one service with all that runs of it.
func (p *plant) service(name string) api.ServiceDetail {
	p.T.Helper()
	s, err := p.Client.Service(p.T.Context(), name)
	if err != nil {
		p.T.Fatal(err)
	}
	return s
}

// version returns one version in full.
func (p *plant) version(service string, number int64) api.VersionDetail {
	p.T.Helper()
	v, err := p.Client.Version(p.T.Context(), service, fmt.Sprint(number))
	if err != nil {
		p.T.Fatal(err)
	}
	return v
}

// live returns the version that is live in a place; 0: none.
func (p *plant) live(service, environment string) int64 {
	p.T.Helper()
	for _, place := range p.service(service).Places {
		if place.Environment == environment && place.Live != nil {
			return place.Live.Version
		}
	}
	return 0
}

// idle waits until nothing goes on: every version and every deployment has ended, or waits for
// a person.
func (p *plant) idle() {
	p.T.Helper()
	until(p.T, "the plant comes to rest", func() error {
		ctx, cancel := context.WithTimeout(p.T.Context(), 10*time.Second)
		defer cancel()
		s, err := p.Client.Status(ctx, "")
		if err != nil {
			return err
		}
		if n := s.Totals; n.OnTheirWay+n.Deployments+n.TasksRunning+n.TasksQueued > 0 || n.Healthy != n.Copies {
			why, _ := p.Client.Why(ctx, api.WhyQuestion{})
			return fmt.Errorf("%+v: %s %+v", n, why.Sentence, why.Waits)
		}
		return nil
	})
}

// proxyProcess returns the process that carries requests.
func (p *plant) proxyProcess() process {
	p.T.Helper()
	all := processesOf(p.Data)
	i := slices.IndexFunc(all, func(x process) bool { return strings.Contains(x.Command, " proxy ") })
	if i < 0 {
		p.T.Fatal("there is no proxy")
	}
	return all[i]
}

// openCord returns the one cord that is pulled.
func (p *plant) openCord() api.Cord {
	p.T.Helper()
	cords, err := p.Client.Cords(p.T.Context(), true, api.Page{})
	if err == nil && len(cords) != 1 {
		err = errors.New("want one cord")
	}
	if err != nil {
		p.T.Fatalf("%v: %+v", err, cords)
	}
	return cords[0]
}
