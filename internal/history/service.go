package history

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/andon-cd/andon/internal/andon"
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
	return r.exec(`DELETE FROM environment WHERE name = ?`, b.Environment)
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
		return Service{}, andon.Errorf(andon.KindNotFound, "there is no service %s", name).
			WithHint("`andon service list` shows the services that there are")
	}
	return s, err
}

// Environments returns the environments, by name.
func (h *History) Environments(ctx context.Context) ([]Environment, error) {
	return query(ctx, h.store, func(r *sql.Rows) (e Environment, err error) {
		return e, r.Scan(at{&e.Declared}, doc{&e.Environment})
	}, `SELECT declared, doc FROM environment ORDER BY name`)
}
