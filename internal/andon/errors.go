package andon

import (
	"errors"
	"fmt"
)

// A Kind classifies an error for whoever has to act on it. One table in package httpapi maps
// kinds to HTTP statuses, one in package cli to exit codes.
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
	KindUnavailable Kind = "unavailable" // the plant cannot take it now (disk full, shutting down); try again
	KindInternal    Kind = "internal"    // a fault of Andon's own
)

// Kinds lists every kind.
func Kinds() []Kind {
	return []Kind{KindInvalid, KindNotFound, KindConflict, KindRefused, KindSignIn, KindUnreachable, KindTimeout, KindUnavailable, KindInternal}
}

// An Error is an error that people and programs may see: a kind, a sentence that is safe to
// show, and a hint that says what to do next. The cause is for the server's own log only.
type Error struct {
	Kind    Kind   `json:"kind"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	// File, Line and Column point into what the user wrote, from 1; Source is the line itself.
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Source string `json:"source,omitempty"`
	// Cause is what lies beneath. It is never sent to anybody.
	Cause error `json:"-"`
}

// Error returns the message, with its position before it and the cause behind it.
func (e *Error) Error() string {
	s := e.Message
	if e.File != "" {
		s = fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, s)
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Errorf returns an Error of that kind with a formatted message, which people see.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Because returns e with its cause.
func (e *Error) Because(cause error) *Error {
	e.Cause = cause
	return e
}

// WithHint returns e with what to do next.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// KindOf returns the kind of the first Error in err's chain, and KindInternal without one.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return KindInternal
}
