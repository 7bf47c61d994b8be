package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/andon-cd/andon/internal/andon"
)

// heartbeat is how often a stream without events shows that it lives.
const heartbeat = 15 * time.Second

// events sends the journal as server-sent events: first what is after a position, then each event
// when it is committed. The ID of each is its position, with which a client resumes; one that
// reads too slowly is cut off and resumes. Nothing is buffered for it: it is read from the journal.
func (a *API) events(w http.ResponseWriter, r *http.Request) {
	after := int64(a.Engine.Head())
	for _, text := range []string{r.URL.Query().Get("after"), r.Header.Get("Last-Event-ID")} {
		if text == "" {
			continue
		}
		n, err := number(text)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		after = n
	}
	if head := int64(a.Engine.Head()); after > head {
		a.fail(w, r, andon.Errorf(andon.KindInvalid, "event %d has not happened: the journal ends at %d", after, head).
			WithHint("it was taken from another plant, or from one that was restored from a backup"))
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	control := http.NewResponseController(w)
	if send(control, w, []byte("retry: 1000\n\n")) != nil {
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	batches := make(chan []andon.Event)
	followed := make(chan error, 1)
	go func() {
		followed <- a.Engine.Follow(ctx, andon.Seq(after), func(events []andon.Event) error {
			select {
			case batches <- events:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		var out []byte
		select {
		case batch := <-batches:
			out = a.encode(batch)
		case <-beat.C:
			out = []byte(":\n\n")
		case err := <-followed:
			if err != nil && ctx.Err() == nil {
				a.Log.Error("a stream of events ended: the journal cannot be read", "err", err)
			}
			return
		}
		if send(control, w, out) != nil {
			cancel()
			<-followed //nolint:errcheck // it was cut off here
			return
		}
	}
}

func (a *API) encode(batch []andon.Event) []byte {
	var b bytes.Buffer
	for _, e := range batch {
		data, err := json.Marshal(e)
		if err != nil {
			panic(fmt.Sprintf("httpapi: event %d does not encode: %v", e.Seq, err)) // it came from its encoded form
		}
		fmt.Fprintf(&b, "id: %d\nevent: %s\ndata: %s\n\n", e.Seq, e.Body.EventName(), data)
	}
	return b.Bytes()
}

// describeStreams puts the routes that the library does not serve into the description.
func (a *API) describeStreams() {
	text := func(name, in, doc string) *huma.Param {
		return &huma.Param{Name: name, In: in, Description: doc, Schema: &huma.Schema{Type: "string"}}
	}
	whole := func(name, doc string) *huma.Param {
		return &huma.Param{Name: name, In: "query", Description: doc, Schema: &huma.Schema{Type: "integer"}}
	}
	a.huma.OpenAPI().AddOperation(&huma.Operation{
		OperationID: "log-bytes", Method: http.MethodGet, Path: "/api/v1/logs/bytes", Summary: "Bytes of a log; with follow, until it is finished",
		Parameters: []*huma.Param{
			{Name: "log", In: "query", Description: "its name", Required: true, Schema: &huma.Schema{Type: "string"}}, whole("offset", "of the first byte"), whole("limit", "how many at most; 0: all"),
			{Name: "follow", In: "query", Schema: &huma.Schema{Type: "boolean"}},
		},
		Responses: map[string]*huma.Response{"200": {Description: "The bytes", Content: map[string]*huma.MediaType{"text/plain": {}}}},
	})
	a.huma.OpenAPI().AddOperation(&huma.Operation{
		OperationID: "backup", Method: http.MethodGet, Path: "/api/v1/backup", Summary: "The whole plant as one file, for andon restore",
		Responses: map[string]*huma.Response{"200": {Description: "The file", Content: map[string]*huma.MediaType{"application/gzip": {}}}},
	})
	a.huma.OpenAPI().AddOperation(&huma.Operation{
		OperationID: "events", Method: http.MethodGet, Path: "/api/v1/events", Summary: "The journal as server-sent events",
		Parameters: []*huma.Param{whole("after", "the position to go on behind; left out: only what happens from now on"), text("Last-Event-ID", "header", "the same, as browsers send it")},
		Responses:  map[string]*huma.Response{"200": {Description: "Events; the ID of each is its position", Content: map[string]*huma.MediaType{"text/event-stream": {}}}},
	})
}
