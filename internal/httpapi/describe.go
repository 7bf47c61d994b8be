package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/auth"
)

// maxBody bounds the body of a request to the JSON API.
const maxBody = 1 << 20

// describe sets the library up that checks parameters and bodies and describes the API from the
// Go types. Its pages and its other formats stay off.
func (a *API) describe() {
	a.huma = humago.New(a.routes, huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "Andon", Version: "1", Description: "The API of a plant. Every answer that is not a success is {\"error\": …}."},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"bearer": {Type: "http", Scheme: "bearer", Description: "the token in admin.token"},
					"basic":  {Type: "http", Scheme: "basic", Description: "any user, the token as the password"},
				},
			},
			Security: []map[string][]string{{"bearer": {}}, {"basic": {}}},
		},
		Formats:                      map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
	})
	a.spec = sync.OnceValues(func() ([]byte, error) { return json.Marshal(a.huma.OpenAPI()) })
}

// A reply is what the library sends: its body as JSON.
type reply[T any] struct{ Body T }

// route adds a route that is described.
func route[In, Out any](a *API, method, path, id, summary string, handle func(context.Context, *In) (Out, error)) {
	a.paths = append(a.paths, method+" "+path)
	op := huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, MaxBodyBytes: maxBody, Errors: []int{400, 401, 403, 404, 409, 503}}
	if method == http.MethodGet {
		op.Errors = []int{400, 401, 404, 503}
	}
	huma.Register(a.huma, op, func(ctx context.Context, in *In) (*reply[Out], error) {
		out, err := handle(ctx, in)
		if err != nil {
			e := a.show(ctx, err)
			f := libraryFailure(status(e), "", nil)
			f.Failure.Error = wireError(e)
			return nil, f
		}
		return &reply[Out]{out}, nil
	})
}

// get adds a described route that reads.
func get[In, Out any](a *API, path, id, summary string, handle func(context.Context, *In) (Out, error)) {
	route(a, http.MethodGet, path, id, summary, handle)
}

// post adds a described route that commands.
func post[In, Out any](a *API, path, id, summary string, handle func(context.Context, *In) (Out, error)) {
	route(a, http.MethodPost, path, id, summary, handle)
}

// actor returns who gives a command.
func actor(ctx context.Context) andon.Actor {
	who, _ := auth.From(ctx) // the guard lets nobody through who is not signed in
	return who.Actor()
}
