package cli

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/journal"
)

type auditCmd struct {
	List   auditListCmd   `cmd:"" default:"withargs" help:"What happened, newest first."`
	Verify auditVerifyCmd `cmd:"" help:"Check every event of a journal on this machine."`
}

type auditListCmd struct {
	Service     string `arg:"" optional:"" help:"Only what happened to this service."`
	Environment string `placeholder:"NAME" help:"Only what is about this environment, or about none alone."`
	Changes     bool   `help:"Only what changed what runs, or could: what to read first when something broke."`
	Limit       int    `short:"n" default:"50" placeholder:"N" help:"How many entries, at most 1000."`
	Before      int64  `placeholder:"POSITION" help:"Only entries before this one, to page back."`
}

// Run lists what happened.
func (cmd *auditListCmd) Run(c *call) error {
	if err := within("--limit", cmd.Limit, 1000); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	entries, err := client.Audit(c.ctx, api.AuditFilter{
		Service: cmd.Service, Environment: cmd.Environment, Changes: cmd.Changes, Page: api.Page{Before: cmd.Before, Limit: cmd.Limit},
	})
	if err != nil {
		return err
	}
	if c.json {
		c.sayJSON(c.out, struct {
			Entries []api.Entry `json:"entries"`
		}{entries})
		return nil
	}
	if len(entries) == 0 {
		fmt.Fprintln(c.err, "Nothing of this kind happened.")
	}
	var t table
	now := time.Now()
	for _, e := range entries {
		t.row(fmt.Sprint(e.Position), clock(e.Time, now), printable(e.By), printable(e.Sentence))
	}
	t.write(c.out, "")
	return nil
}

type auditVerifyCmd struct{}

// A verification is what `andon audit verify --json` prints.
type verification struct {
	Journal string `json:"journal"`
	Events  int64  `json:"events"`
	Intact  bool   `json:"intact"`
	TookMS  int64  `json:"took_ms"`
}

// Run checks every link and every event of the journal in a data directory, also beside a
// server that writes it.
func (cmd *auditVerifyCmd) Run(c *call) error {
	dir, err := c.ownPlant()
	if err != nil {
		return err
	}
	v := verification{Journal: filepath.Join(dir, "journal.db")}
	started := time.Now()
	err = verifyJournal(c.ctx, v.Journal, func(p journal.Progress) { v.Events = int64(p.Verified) })
	if err != nil {
		return err
	}
	v.Intact, v.TookMS = true, time.Since(started).Milliseconds()
	if c.json {
		c.sayJSON(c.out, v)
		return nil
	}
	fmt.Fprintf(c.out, "The journal is intact: %s, each as it was appended (%s).\n", count(v.Events, "event", "events"), v.Journal)
	return nil
}
