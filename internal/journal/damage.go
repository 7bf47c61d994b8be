package journal

import (
	"fmt"

	"github.com/andon-cd/andon/internal/andon"
)

// Damage says which event of a journal is the first that is not what was appended.
type Damage struct {
	Seq   andon.Seq
	What  string // what is wrong with it: "it is missing"
	Cause error
}

// Error names the event.
func (d *Damage) Error() string {
	s := fmt.Sprintf("event %d: %s", d.Seq, d.What)
	if d.Cause != nil {
		s += ": " + d.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (d *Damage) Unwrap() error { return d.Cause }
