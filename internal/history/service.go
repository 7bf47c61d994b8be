package history

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/form"
)

// A Service is one service of the plant.
type Service struct {
	Name    andon.ServiceName
	Source  andon.Source
	Added   time.Time
	AddedBy andon.Actor
	Removed time.Time           // zero: it is there
	Reason  string              // why it was removed
	Newest  andon.VersionNumber // 0: it has no version yet
}

// An Environment is one environment of the plant.
type Environment struct {
	andon.Environment
	Declared time.Time
	Removed  time.Time // zero: it is there
}

func (r recorder) serviceAdded(b andon.ServiceAdded) error {
	return r.exec(`INSERT INTO service (name, url, trunk, added, added_by) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET url = excluded.url, trunk = excluded.trunk,
			added = excluded.added, added_by = excluded.added_by, removed = 0, reason = ''`,
		b.Service, b.Source.URL, b.Source.Trunk, r.now(), r.event.By)
}

func (r recorder) serviceRemoved(b andon.ServiceRemoved) error {
	return r.exec(`UPDATE service SET removed = ?, reason = ? WHERE name = ?`, r.now(), b.Reason, b.Service)
}

func (r recorder) environmentDeclared(b andon.EnvironmentDeclared) error {
	d, err := document(b.Environment)
	if err != nil {
		return err
	}
	return r.exec(`INSERT OR REPLACE INTO environment (name, declared, doc) VALUES (?, ?, ?)`, b.Environment.Name, r.now(), d)
}

func (r recorder) environmentRemoved(b andon.EnvironmentRemoved) error {
	return r.exec(`UPDATE environment SET removed = ? WHERE name = ?`, r.now(), b.Environment)
}

const selectService = `SELECT name, url, trunk, added, added_by, removed, reason, newest FROM service `

func scanService(r *sql.Rows) (s Service, err error) {
	err = r.Scan(&s.Name, &s.Source.URL, &s.Source.Trunk, at{&s.Added}, &s.AddedBy, at{&s.Removed}, &s.Reason, &s.Newest)
	return s, err
}

// Services returns the services that are there, by name; with removed, also those that are not.
func (h *History) Services(ctx context.Context, removed bool) ([]Service, error) {
	return query(ctx, h.store, scanService, selectService+`WHERE removed = 0 OR ? ORDER BY name`, removed)
}

// Service returns one service, also a removed one; andon.KindNotFound when there never was one.
func (h *History) Service(ctx context.Context, name andon.ServiceName) (Service, error) {
	s, err := queryOne(ctx, h.store, scanService, selectService+`WHERE name = ?`, name)
	if errors.Is(err, errNone) {
		return Service{}, h.neverWas(ctx, "service", string(name), "`andon service list` shows the services that there are")
	}
	return s, err
}

const selectEnvironment = `SELECT declared, removed, doc FROM environment `

func scanEnvironment(r *sql.Rows) (e Environment, err error) {
	return e, r.Scan(at{&e.Declared}, at{&e.Removed}, doc{&e.Environment})
}

// Environments returns the environments that are there, by name.
func (h *History) Environments(ctx context.Context) ([]Environment, error) {
	return query(ctx, h.store, scanEnvironment, selectEnvironment+`WHERE removed = 0 ORDER BY name`)
}

// Environment returns one environment, also a removed one; andon.KindNotFound when there never was
// one.
func (h *History) Environment(ctx context.Context, name andon.EnvironmentName) (Environment, error) {
	e, err := queryOne(ctx, h.store, scanEnvironment, selectEnvironment+`WHERE name = ?`, name)
	if errors.Is(err, errNone) {
		return Environment{}, h.neverWas(ctx, "environment", string(name), "`andon status` lists the environments")
	}
	return e, err
}

// were returns andon.KindNotFound when there never was the service or the environment of a place; an
// empty name is not looked for.
func (h *History) were(ctx context.Context, p andon.Place) error {
	if p.Service != "" {
		if _, err := h.Service(ctx, p.Service); err != nil {
			return err
		}
	}
	if p.Environment != "" {
		if _, err := h.Environment(ctx, p.Environment); err != nil {
			return err
		}
	}
	return nil
}

// neverWas says that there is no row of a name in a table, with the one that was probably meant, or
// else where they are listed.
func (h *History) neverWas(ctx context.Context, table, name, listed string) error {
	names, err := query(ctx, h.store, func(r *sql.Rows) (n string, err error) { return n, r.Scan(&n) }, `SELECT name FROM `+table)
	if err != nil {
		return err
	}
	hint := listed
	if near := form.Nearest(name, names); near != "" {
		hint = "did you mean " + near + "?"
	}
	return andon.Errorf(andon.KindNotFound, "there is no %s %.100s", table, name).WithHint("%s", hint)
}
