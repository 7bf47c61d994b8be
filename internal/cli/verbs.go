package cli

import (
	"fmt"

	"github.com/andon-cd/andon/api"
)

// done says what a command did: its answer as JSON, or a sentence.
func (c *call) done(answer api.Done, sentence string, args ...any) error {
	if c.json {
		c.sayJSON(c.out, answer)
		return nil
	}
	if len(answer.Events) == 0 {
		fmt.Fprintln(c.out, "Nothing changed: it is so already.")
		return nil
	}
	fmt.Fprintf(c.out, sentence+"\n", args...)
	return nil
}
