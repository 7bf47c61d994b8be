package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/andon-cd/andon/api"
)

type searchCmd struct {
	Text []string `arg:"" name:"text" help:"shop 12, a commit, a ticket, a digest, a person, words of a message."`
}

// Run finds what a text names.
func (cmd *searchCmd) Run(c *call) error {
	text := strings.Join(cmd.Text, " ")
	if strings.TrimSpace(text) == "" {
		return usage("there is nothing to search for", "Write `andon search shop 12`, a commit, a ticket, a person, or words of a message.")
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	answer, err := client.Search(c.ctx, text)
	if err != nil {
		return err
	}
	if c.json {
		c.sayJSON(c.out, answer)
		return nil
	}
	writeFound(c.out, answer, time.Now(), c.paint(c.out))
	return nil
}

func writeFound(w io.Writer, answer api.Search, now time.Time, p palette) {
	if len(answer.Found) == 0 {
		fmt.Fprintf(w, "Nothing is called %s.\n", quoted(printable(answer.Query)))
		return
	}
	var t table
	for _, f := range answer.Found {
		switch {
		case f.Version != nil:
			v := f.Version
			t.row(string(f.Kind), fmt.Sprintf("%s@%d", v.Service, v.Number), short(v.Commit), printable(v.Author), headline(v.Subject), clock(v.Created, now))
		case f.Deployment != nil:
			d := f.Deployment
			t.row(string(f.Kind), d.ID, "", d.By, fmt.Sprintf("version %d to %s %s", d.Version, d.Environment, d.Outcome), clock(d.Planned, now))
		default:
			t.row(string(f.Kind), f.Service)
		}
	}
	t.write(w, "")
	for _, kind := range answer.More {
		fmt.Fprintln(w, p.faint("There is more by "+string(kind)+"."))
	}
}
