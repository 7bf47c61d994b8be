package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/andon-cd/andon/api"
)

type maturityCmd struct {
	Service string `arg:"" optional:"" help:"Only this service; all of them if left out."`
	Days    int    `default:"30" placeholder:"N" help:"How many days, up to now. (default ${default})"`
}

// Run prints which practices of continuous delivery the plant follows, each with its evidence.
func (cmd *maturityCmd) Run(c *call) error {
	if err := within("--days", cmd.Days, 366); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	m, err := client.Maturity(c.ctx, cmd.Service, cmd.Days)
	if err != nil {
		return c.known(client, cmd.Service, err)
	}
	if c.json {
		c.sayJSON(c.out, m)
		return nil
	}
	writeMaturity(c.out, m, c.paint(c.out))
	return nil
}

func writeMaturity(w io.Writer, m api.MaturityReport, p palette) {
	fmt.Fprintf(w, "%d of %d practices are followed", m.Followed, m.Judged)
	if unknown := len(m.Practices) - m.Judged; unknown > 0 {
		fmt.Fprintf(w, "; of %d more there are not enough records", unknown)
	}
	fmt.Fprintln(w, ".")
	for _, practice := range m.Practices {
		sign, words := levelWords(practice.Level, p)
		fmt.Fprintf(w, "\n%s %s  %s\n    %s\n", sign, p.bold(practice.Title), words, practice.Evidence)
		if len(practice.Exceptions) > 0 {
			fmt.Fprintf(w, "    not: %s\n", strings.Join(practice.Exceptions, ", "))
		}
		if practice.Next != "" {
			fmt.Fprintf(w, "    %s\n", p.faint("→ "+practice.Next))
		}
	}
}

// levelWords returns the shape and the words of a level.
func levelWords(level string, p palette) (sign, words string) {
	switch level {
	case "followed":
		return p.cyan("●"), p.cyan("followed")
	case "partly":
		return p.yellow("◐"), p.yellow("partly followed")
	case "not":
		return p.yellow("○"), p.yellow("not followed")
	default:
		return "·", "not enough records"
	}
}
