package cli

import (
	"errors"
	"fmt"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
)

// The exit codes of every command: a contract with scripts.
const (
	exitDone        = 0
	exitFailed      = 1 // failed, or invalid
	exitUsage       = 2
	exitRefused     = 3 // a rule forbids it, or nobody is signed in
	exitUnreachable = 4
	exitTimeout     = 5
)

// exitCodes is the one table from kinds of errors to exit codes.
var exitCodes = map[andon.Kind]int{
	andon.KindInvalid:     exitFailed,
	andon.KindNotFound:    exitFailed,
	andon.KindConflict:    exitFailed,
	andon.KindRefused:     exitRefused,
	andon.KindSignIn:      exitRefused,
	andon.KindUnreachable: exitUnreachable,
	andon.KindTimeout:     exitTimeout,
	andon.KindUnavailable: exitUnreachable,
	andon.KindInternal:    exitFailed,
}

// exitCode returns the exit code of a command that ended with err.
func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	if e, ok := errors.AsType[codeError](err); ok {
		return int(e)
	}
	if e, ok := errors.AsType[*api.Error](err); ok {
		return exitCodes[andon.Kind(e.Kind)]
	}
	return exitCodes[andon.KindOf(err)]
}

// A codeError ends a command with that code when everything has been said already.
type codeError int

func (codeError) Error() string { return "" }

// A usageError says that the command was not written as it must be.
type usageError struct{ message, hint string }

func (e *usageError) Error() string { return e.message }

// usage returns a usage error with what to write instead.
func usage(message, hint string) error { return &usageError{message, hint} }

// within refuses the number of a flag that is not between 1 and most.
func within(flag string, n, most int) error {
	if n >= 1 && n <= most {
		return nil
	}
	return usage(fmt.Sprintf("%s must be from 1 to %d, not %d", flag, most, n), "Leave it out for what is usual.")
}

// asWire returns any error as the one that people and programs see.
func asWire(err error) *api.Error {
	if e, ok := errors.AsType[*usageError](err); ok {
		return &api.Error{Kind: api.KindInvalid, Message: e.message, Hint: e.hint}
	}
	if e, ok := errors.AsType[*api.Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*andon.Error](err); ok {
		return &api.Error{
			Kind: api.Kind(e.Kind), Message: e.Message, Hint: e.Hint,
			File: e.File, Line: e.Line, Column: e.Column, Source: e.Source,
		}
	}
	return &api.Error{Kind: api.KindInternal, Message: capital(err.Error())}
}
