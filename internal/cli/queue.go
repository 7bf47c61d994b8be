package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/andon-cd/andon/api"
)

type queueCmd struct{}

// Run lists everything that does not move, by what it waits for in the end.
func (cmd *queueCmd) Run(c *call) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	queue, err := client.Queue(c.ctx)
	if err != nil {
		return err
	}
	if c.json {
		c.sayJSON(c.out, queue)
		return nil
	}
	writeQueue(c.out, queue, time.Now(), c.paint(c.out))
	return nil
}

func writeQueue(w io.Writer, queue api.Queue, now time.Time, p palette) {
	if len(queue.Causes) == 0 {
		fmt.Fprintf(w, "%s %s\n", p.green("Nothing waits for anybody."), movingWords(queue.Moving))
		return
	}
	for _, cause := range queue.Causes {
		fmt.Fprintf(w, "%s %s\n", p.bold(capital(strings.TrimSuffix(printable(cause.Reason), "."))+"."), p.faint(since(cause.Since, now)))
		if cause.Who != "" {
			fmt.Fprintf(w, "  Who can unblock it: %s\n", printable(cause.Who))
		}
		if cause.Expected != nil {
			fmt.Fprintf(w, "  %s\n", expectedWords(*cause.Expected, now))
		}
		if cause.Action != "" && cause.Kind != api.WaitApproval { // each version has its own
			fmt.Fprintf(w, "  %s\n", p.faint("→ "+cause.Action))
		}
		for _, held := range cause.Held {
			writeWait(w, held, "    ", "", now, p)
		}
		if cause.More > 0 {
			fmt.Fprintf(w, "    and %d more\n", cause.More)
		}
	}
	fmt.Fprintln(w, movingWords(queue.Moving))
}

func movingWords(n int) string {
	if n == 0 {
		return "Nothing goes on by itself."
	}
	return capital(count(n, "thing goes on by itself", "things go on by themselves")) + "."
}

func expectedWords(e api.Expected, now time.Time) string {
	if e.From == 0 {
		return "Ends at " + clock(e.At, now) + " at the latest."
	}
	took := milliseconds(e.TookMS)
	if e.At.Before(now) {
		return fmt.Sprintf("Takes longer than usual: %s, from the last %d.", span(took), e.From)
	}
	return fmt.Sprintf("Should end at %s: it takes %s, from the last %d.", clock(e.At, now), span(took), e.From)
}
