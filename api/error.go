package api

import "fmt"

// A Kind classifies an error for whoever has to act on it.
type Kind string

// The kinds of errors.
const (
	KindInvalid     Kind = "invalid"     // the input is wrong; change it
	KindNotFound    Kind = "not_found"   // it names something that does not exist
	KindConflict    Kind = "conflict"    // it is right, but not in this state
	KindRefused     Kind = "refused"     // a rule forbids it
	KindSignIn      Kind = "sign_in"     // nobody, or the wrong one, is signed in
	KindUnreachable Kind = "unreachable" // something that is needed does not answer
	KindTimeout     Kind = "timeout"     // it took too long
	KindUnavailable Kind = "unavailable" // the plant cannot take it now; try again
	KindInternal    Kind = "internal"    // a fault of Andon's own
)

// Kinds lists every kind.
func Kinds() []Kind {
	return []Kind{KindInvalid, KindNotFound, KindConflict, KindRefused, KindSignIn, KindUnreachable, KindTimeout, KindUnavailable, KindInternal}
}

// An Error is what every failed request is answered with, inside {"error": …}.
type Error struct {
	Kind    Kind   `json:"kind" doc:"what to do about it" enum:"invalid,not_found,conflict,refused,sign_in,unreachable,timeout,unavailable,internal"`
	Message string `json:"message" doc:"one sentence for people"`
	Hint    string `json:"hint,omitempty" doc:"what to do next"`
	// File, Line and Column point into what the user wrote, from 1; Source is the line itself.
	File   string `json:"file,omitempty" doc:"the file of the user that is wrong"`
	Line   int    `json:"line,omitempty" doc:"from 1"`
	Column int    `json:"column,omitempty" doc:"in characters, from 1"`
	Source string `json:"source,omitempty" doc:"the line itself"`

	away bool // it is the client's: the plant did not answer
}

// Away reports whether the plant itself did not answer. An error of KindUnreachable that it answers
// with is about something that it asked.
func (e *Error) Away() bool { return e.away }

// Error returns the message, with its position before it.
func (e *Error) Error() string {
	if e.File != "" {
		return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
	}
	return e.Message
}

// A Failure is the body of every answer that is not a success.
type Failure struct {
	Error *Error `json:"error"`
}
