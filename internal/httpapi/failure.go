package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
)

// statusOf is the table of kinds and HTTP statuses.
var statusOf = map[andon.Kind]int{
	andon.KindInvalid:     http.StatusBadRequest,
	andon.KindSignIn:      http.StatusUnauthorized,
	andon.KindRefused:     http.StatusForbidden,
	andon.KindNotFound:    http.StatusNotFound,
	andon.KindConflict:    http.StatusConflict,
	andon.KindInternal:    http.StatusInternalServerError,
	andon.KindUnreachable: http.StatusBadGateway,
	andon.KindUnavailable: http.StatusServiceUnavailable,
	andon.KindTimeout:     http.StatusGatewayTimeout,
}

// status returns the HTTP status of an error.
func status(e *andon.Error) int {
	if code, ok := statusOf[e.Kind]; ok {
		return code
	}
	return http.StatusInternalServerError
}

// A failure is an error on its way out through the library.
type failure struct {
	api.Failure
	status int
}

// Error implements error.
func (f *failure) Error() string { return f.Failure.Error.Error() }

// GetStatus implements huma.StatusError.
func (f *failure) GetStatus() int { return f.status }

// The library has one form of errors for the whole process; this package is its only user, and
// always sets the same.
func init() {
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return libraryFailure(status, message, errs)
	}
}

// libraryFailure is what the library itself finds wrong: with a parameter or a body.
func libraryFailure(status int, message string, errs []error) *failure {
	kind := andon.KindInvalid
	switch {
	case status == http.StatusNotFound:
		kind = andon.KindNotFound
	case status == http.StatusRequestTimeout:
		kind = andon.KindTimeout
	case status >= 500:
		kind = andon.KindInternal
	}
	var details []string
	for _, err := range errs {
		if detail, ok := errors.AsType[*huma.ErrorDetail](err); ok {
			details = append(details, strings.TrimPrefix(detail.Location, "body.")+": "+detail.Message)
		}
	}
	e := andon.Errorf(kind, "the request is wrong: %s", message)
	if len(details) > 0 {
		e = andon.Errorf(kind, "the request is wrong: %s", strings.Join(details, "; "))
	}
	e.Hint = "/openapi.json describes what it takes"
	if kind == andon.KindInternal {
		e = errFault()
	}
	if status == http.StatusUnprocessableEntity {
		status = http.StatusBadRequest
	}
	return &failure{api.Failure{Error: wireError(e)}, status}
}

func errFault() *andon.Error {
	return andon.Errorf(andon.KindInternal, "the plant failed to answer").WithHint("its log says why")
}

// show returns the error that people may see, and logs one that they may not. It is the only
// place that logs errors of requests.
func (a *API) show(ctx context.Context, err error) *andon.Error {
	e, ok := errors.AsType[*andon.Error](err)
	switch {
	case ok && e.Kind != "" && e.Kind != andon.KindInternal:
		return e
	case errors.Is(err, context.Canceled):
		return andon.Errorf(andon.KindTimeout, "the request was given up")
	case errors.Is(err, context.DeadlineExceeded):
		return andon.Errorf(andon.KindTimeout, "the plant was too slow to answer").WithHint("try again")
	}
	a.Log.ErrorContext(ctx, "a request failed", "err", err)
	if ok && e.Kind != "" {
		return e
	}
	return errFault()
}

// fail answers with an error.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	e := a.show(r.Context(), err)
	writeFailure(w, status(e), e)
}

func writeFailure(w http.ResponseWriter, status int, e *andon.Error) {
	writeJSON(w, status, api.Failure{Error: wireError(e)})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("httpapi: %T does not encode: %v", v, err)) // the guard answers
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The client may be gone; there is nobody else to tell.
	_, _ = w.Write(append(data, '\n'))
}

func wireError(e *andon.Error) *api.Error {
	if e == nil {
		return nil
	}
	return &api.Error{Kind: api.Kind(e.Kind), Message: e.Message, Hint: e.Hint, File: e.File, Line: e.Line, Column: e.Column, Source: e.Source}
}
