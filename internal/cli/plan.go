package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
)

// planned prints the plan that a command with --plan was answered with.
func (c *call) planned(answer api.Done) error {
	if answer.Plan == nil {
		return nil
	}
	if c.json {
		c.sayJSON(c.out, answer.Plan)
	} else {
		writePlan(c.out, *answer.Plan)
	}
	return nil
}

func writePlan(w io.Writer, p api.Plan) {
	fmt.Fprintln(w, planHead(p))
	fmt.Fprintln(w, "\nChanges:")
	var changes table
	changes.row("artifact", difference(p.Changes.Artifact))
	changes.row("configuration", difference(p.Changes.Configuration))
	for _, k := range p.Changes.Environment {
		changes.row("  $"+k.Key, k.Change)
	}
	for _, k := range p.Changes.Settings {
		changes.row("  "+k.Key, keyWords(k))
	}
	changes.row("copies", fmt.Sprintf("%d → %d", p.Changes.Copies.From, p.Changes.Copies.To))
	for _, v := range p.Changes.Commits {
		mark := "+"
		if p.Version < p.Previous {
			mark = "-"
		}
		changes.row(fmt.Sprintf("%s version %d", mark, v.Version), fmt.Sprintf("%s  %s  %s", short(v.Commit), headline(v.Subject), printable(v.Author)))
	}
	changes.write(w, "  ")
	fmt.Fprintln(w, "\nSteps:")
	for i, s := range p.Steps {
		fmt.Fprintf(w, "  %d. %s", i+1, s.Does)
		if len(s.Agents) > 0 {
			fmt.Fprintf(w, " (%s)", strings.Join(s.Agents, ", "))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "\n%s\n%s\n", planWhere(p), planPace(p.Pace))
	if p.Quarantines > 0 {
		fmt.Fprintf(w, "Version %d will be quarantined: nothing brings it back by itself. The line will stand until a later version comes.\n", p.Quarantines)
	}
}

// planHead says in one sentence what is planned.
func planHead(p api.Plan) string {
	from := "nothing is live there"
	if p.Previous > 0 {
		from = fmt.Sprintf("version %d is live there", p.Previous)
	}
	what := fmt.Sprintf("%s %d to %s, %s", p.Service, p.Version, p.Environment, p.Strategy)
	if p.Kind == api.DeployRollback {
		what = fmt.Sprintf("%s back to %d in %s", p.Service, p.Version, p.Environment)
	}
	if p.Aborts != "" {
		from = fmt.Sprintf("%s brings version %d there now", p.Aborts, p.Quarantines)
	}
	return what + "; " + from + "."
}

// planWhere says on which hosts it runs, and who leads there.
func planWhere(p api.Plan) string {
	var on []string
	for _, h := range p.Placement {
		on = append(on, fmt.Sprintf("%s (%s)", h.Agent, count(h.Copies, "copy", "copies")))
	}
	where := "Starts no copies"
	switch {
	case len(on) > 0:
		where = "On " + strings.Join(on, ", ")
	case len(p.Agents) == 0:
		where = "On no host: none is there that could run it"
	}
	if p.Platform == platformDocker {
		where += ", in containers"
	}
	if len(p.Hosts) > 0 {
		where += ", for " + strings.Join(p.Hosts, ", ")
	}
	if len(p.Edges) > 0 {
		where += " by the proxies of " + strings.Join(p.Edges, ", ")
	}
	return where + "."
}

func planPace(p api.Pace) string {
	switch {
	case p.ExpectedMS > 0:
		last := "one"
		if p.From > 1 {
			last = strconv.Itoa(p.From)
		}
		return fmt.Sprintf("Should take about %s, as the last %s like it.", span(milliseconds(p.ExpectedMS)), last)
	case p.AtLeastMS > 0:
		return "Takes at least " + andon.Brief(milliseconds(p.AtLeastMS)) + ": nothing like it was done here yet."
	default:
		return "How long it takes is not known: nothing like it was done here yet."
	}
}

// keyWords says how a key of the configuration differs.
func keyWords(k api.KeyChange) string {
	switch {
	case k.From != "" && k.To != "":
		return printable(k.From) + " → " + printable(k.To)
	case k.To != "":
		return "added: " + printable(k.To)
	case k.From != "":
		return "removed: " + printable(k.From)
	default:
		return k.Change
	}
}

func difference(d api.Difference) string {
	switch {
	case d.Same:
		return short(d.To) + " (the same)"
	case d.From == "":
		return short(d.To)
	default:
		return short(d.From) + " → " + short(d.To)
	}
}
