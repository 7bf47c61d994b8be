package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/logs"
)

// logPace is from one event of a log that is followed to the next at least.
const logPace = 200 * time.Millisecond

// A tail is what a follower of a log is sent: the rows from a line on, in place of those that it has
// from there on. When more than a window came meanwhile, they are the last ones.
type tail struct {
	From     int64  `json:"from"`
	Next     int64  `json:"next"` // the line to go on with: the last one again as long as it has no newline
	Total    int64  `json:"total"`
	Finished bool   `json:"finished"`
	Toggled  string `json:"toggled"`
	HTML     string `json:"html"`
}

// followLog sends what is appended to a log as server-sent events. The ID of each is the line to go
// on with, so that a connection that was lost goes on where it ended.
func (p *pages) followLog(w http.ResponseWriter, r *http.Request) {
	v, err := readLogView(r)
	from := int64(1)
	for _, text := range []string{r.URL.Query().Get("from"), r.Header.Get("Last-Event-ID")} {
		if text != "" && err == nil {
			from, err = lineNumber(text)
		}
	}
	if err == nil {
		_, err = p.subjectOf(r.Context(), v.Stream)
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	if out, there := newOutlet(w, false); there {
		p.sendTails(r.Context(), v, from, out)
	}
}

// sendTails sends a log until it is finished, its writer has ended, or nobody reads any more.
func (p *pages) sendTails(ctx context.Context, v logView, from int64, out *outlet) {
	rest := time.NewTicker(logPace)
	defer rest.Stop()
	for size := int64(-1); ; {
		info, err := p.awaitMore(ctx, v.Stream, size)
		switch {
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			if !out.send(stillHere()) {
				return
			}
			if s, err := p.subjectOf(ctx, v.Stream); err == nil && s.Ended {
				out.send(logEnded())
				return
			}
			continue
		case andon.KindOf(err) == andon.KindNotFound && ctx.Err() == nil: // it was removed
			out.send(logEnded())
			return
		case err != nil:
			return // the reader comes again
		}
		size = info.Size
		t, err := p.tail(v, from)
		if err != nil || !out.write(t.event()) {
			return
		}
		if from = t.Next; t.Finished {
			out.send(logEnded())
			return
		}
		select {
		case <-rest.C:
		case <-ctx.Done():
			return
		}
	}
}

// awaitMore waits for a log to be longer, as long as a stream may be silent.
func (p *pages) awaitMore(ctx context.Context, stream string, size int64) (logs.Info, error) {
	ctx, cancel := context.WithTimeout(ctx, heartbeat)
	defer cancel()
	return p.Logs.Wait(ctx, stream, size)
}

// tail draws what there is from a line on; at most a window of it, the end.
func (p *pages) tail(v logView, from int64) (tail, error) {
	info, err := p.Logs.Info(v.Stream)
	if err != nil {
		return tail{}, err
	}
	w, err := p.window(v, func(f *folds) []int64 {
		if from <= f.total {
			f.reveal(from) // what is being written stays open before the reader's eyes
		}
		shown := f.before(f.total+1, windowRows)
		for len(shown) > 0 && shown[0] < from {
			shown = shown[1:]
		}
		return shown
	})
	if err != nil {
		return tail{}, err
	}
	t := tail{From: w.First, Next: w.Total + 1, Total: w.Total, Finished: w.Finished, Toggled: w.Toggled}
	if info.Partial && info.Lines == w.Total {
		t.Next = max(1, w.Total)
	}
	var drawn bytes.Buffer
	if err := p.log.ExecuteTemplate(&drawn, "rows", w); err != nil {
		panic("web: a template does not fit its data: " + err.Error())
	}
	t.HTML = drawn.String()
	return t, nil
}

func (t tail) event() []byte {
	data, err := json.Marshal(t)
	if err != nil {
		panic("web: a tail does not encode: " + err.Error())
	}
	return fmt.Appendf(nil, "id: %d\nevent: tail\ndata: %s\n\n", t.Next, data)
}
