package cli

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/andon-cd/andon/api"
)

type flowCmd struct {
	About string `arg:"" optional:"" name:"what" help:"shop, or shop@42 for one change; everything if left out."`
	Days  int    `default:"30" placeholder:"N" help:"How many days, up to now. (default ${default})"`
}

// Run shows where the time between commit and production goes.
func (cmd *flowCmd) Run(c *call) error {
	if err := within("--days", cmd.Days, 366); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	service, version := splitVersion(cmd.About)
	if version != "" {
		f, err := client.ChangeFlow(c.ctx, service, version)
		if err != nil {
			return c.known(client, service, err)
		}
		if c.json {
			c.sayJSON(c.out, f)
			return nil
		}
		writeChangeFlow(c.out, f, time.Now())
		return nil
	}
	f, err := client.Flow(c.ctx, service, cmd.Days)
	if err != nil {
		return c.known(client, service, err)
	}
	if c.json {
		c.sayJSON(c.out, f)
		return nil
	}
	writeFlow(c.out, f)
	return nil
}

// barWidth is how many characters all of the lead time takes.
const barWidth = 40

func writeFlow(w io.Writer, f api.Flow) {
	if f.Changes == 0 {
		fmt.Fprintln(w, "No change reached production in this time.")
		return
	}
	fmt.Fprintf(w, "%s reached production, half of them within %s; of that %s was work.\n",
		count(f.All, "change", "changes"), span(milliseconds(f.LeadMS)), span(milliseconds(f.WorkMS)))
	if f.All > f.Changes {
		fmt.Fprintf(w, "The newest %d of them are added up.\n", f.Changes)
	}
	fmt.Fprintf(w, "Flow efficiency %s. %s\n\n", percent(f.Efficiency), f.Sentence)
	var t table
	for _, s := range f.Steps {
		name := first(s.Stage, "no version")
		for _, part := range append([]api.FlowPart{s.Work}, s.Waits...) {
			if part.TotalMS > 0 {
				t.row(name, flowWords(part.Cause), span(milliseconds(part.MedianMS)), percent(part.Share), strings.Repeat("█", int(math.Round(part.Share*barWidth))))
				name = ""
			}
		}
		if s.First > 0 {
			t.row(name, "complete and accurate", "", percent(float64(s.Passed)/float64(s.First)))
		}
	}
	t.write(w, "")
}

func writeChangeFlow(w io.Writer, f api.ChangeFlow, now time.Time) {
	fmt.Fprintf(w, "The change of %s %d was in production at %s: after %s, of which %s was work.\n\n",
		f.Service, f.Version, clock(f.Delivered, now), span(milliseconds(f.LeadMS)), span(milliseconds(f.WorkMS)))
	var t table
	for _, l := range f.Legs {
		by := ""
		if l.Version != 0 && l.Version != f.Version {
			by = fmt.Sprintf("in version %d", l.Version)
		}
		t.row(clock(l.From, now), span(l.To.Sub(l.From)), first(l.Stage, "-"), flowWords(l.Cause), by)
	}
	t.write(w, "")
}

// flowWords says what a change does or waits for.
func flowWords(cause string) string {
	switch cause {
	case "":
		return "work"
	case "push":
		return "not pushed yet"
	case "agent":
		return "waits for an agent"
	case "approval":
		return "waits for an approval"
	case "stopped":
		return "the line stands"
	case "lock":
		return "waits for the place"
	case "fix":
		return "waits for a repair"
	default:
		return cause
	}
}

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

func percent(share float64) string { return fmt.Sprintf("%.0f %%", math.Round(share*100)) }
