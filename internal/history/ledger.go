package history

import (
	"database/sql"
	"errors"

	"github.com/andon-cd/andon/internal/andon"
)

// observed takes the ledgers that an agent attested. A deployment counts on after its end, until
// the traffic moves to the next one: what that one's observations say of it is its final ledger,
// and stays when the proxy has long forgotten it.
func (r recorder) observed(b andon.Observed) error {
	for _, route := range b.Observation.Routes {
		for _, l := range route.Ledgers {
			if err := r.counted(b.Observation.Agent, l); err != nil {
				return err
			}
		}
	}
	return nil
}

// counted replaces what one agent's proxy counted for a deployment, and adds up those of all.
func (r recorder) counted(agent andon.AgentName, l andon.Ledger) error {
	var before andon.Ledger
	err := r.store.row(r.ctx, `SELECT doc FROM ledger WHERE deployment = ? AND agent = ?`, l.Deployment, agent).Scan(doc{&before})
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if err == nil && before == l {
		return nil
	}
	text, err := document(l)
	if err != nil {
		return err
	}
	err = r.exec(`INSERT OR REPLACE INTO ledger (deployment, agent, doc) VALUES (?, ?, ?)`, l.Deployment, agent, text)
	if err != nil {
		return err
	}
	var all []andon.Ledger
	err = r.store.row(r.ctx, `SELECT json_group_array(json(doc)) FROM ledger WHERE deployment = ?`, l.Deployment).Scan(doc{&all})
	if err != nil {
		return err
	}
	sum := all[0]
	for _, other := range all[1:] {
		sum = sum.Plus(other)
	}
	if text, err = document(sum); err != nil {
		return err
	}
	if err := r.exec(`UPDATE deployment SET ledger = ? WHERE id = ?`, text, l.Deployment); err != nil {
		return err
	}
	place, _, err := r.placeOf(l.Deployment)
	r.measure(func(n *numbers) {
		n.totals.addRequests(place.Environment, l.Requests()-before.Requests(), l.Failed-before.Failed)
		n.lose(l.Deployment, sum.Failed)
	})
	return err
}
