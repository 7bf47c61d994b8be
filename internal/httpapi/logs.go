package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/logs"
)

const (
	usualLines = 1000
	// chunk is how much of a log one write sends.
	chunk = 256 << 10
	// endCheck is how often a follower of a log asks whether whoever writes it has ended.
	endCheck = 5 * time.Second
)

// streams adds the routes whose answers are no JSON.
func (a *API) streams() {
	a.handle("GET /api/v1/logs/bytes", a.logBytes)
	a.handle("GET /api/v1/events", a.events)
	a.handle("GET /api/v1/backup", a.backup)
	a.describeStreams()
}

type linesQuestion struct {
	Log   string `query:"log" required:"true" doc:"its name, as tasks and copies tell it"`
	First int64  `query:"first" default:"1" doc:"the first line, from 1; negative: counted from the end"`
	Count int    `query:"count" minimum:"0" maximum:"10000" doc:"how many at most; 0: 1000"`
}

func (a *API) logLines(ctx context.Context, q *linesQuestion) (api.Lines, error) {
	count := q.Count
	if count == 0 {
		count = usualLines
	}
	a.endLog(ctx, q.Log)
	found, err := a.Logs.ReadLines(q.Log, q.First, count)
	if err != nil {
		return api.Lines{}, err
	}
	return api.Lines{
		Log: q.Log, Size: found.Info.Size, Total: found.Info.Lines, Finished: found.Info.Finished, Dropped: found.Info.Dropped,
		Next: found.Next,
		Lines: each(found.Lines, func(l logs.Line) api.LogLine {
			return api.LogLine{Number: l.Number, Offset: l.Offset, Text: strings.ToValidUTF8(string(l.Text), "\uFFFD"), Cut: l.Cut, At: moment(l.At)}
		}),
	}, nil
}

// logBytes sends a log from an offset on, as it is. With follow it goes on until the log is
// finished or the client goes away.
func (a *API) logBytes(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	name := q.Get("log")
	offset, err := number(q.Get("offset"))
	if err != nil {
		a.fail(w, r, err)
		return
	}
	limit, err := number(q.Get("limit"))
	if err != nil {
		a.fail(w, r, err)
		return
	}
	follow := q.Get("follow") == "true"
	a.endLog(r.Context(), name)
	info, err := a.Logs.Info(name)
	if andon.KindOf(err) == andon.KindNotFound && follow && a.willBe(r.Context(), name) {
		err = nil // nobody has written to it yet
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Andon-Log-Size", strconv.FormatInt(info.Size, 10))
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	if err := a.sendLog(r.Context(), w, name, offset, limit, follow); err != nil && r.Context().Err() == nil {
		a.Log.Warn("a log was not sent to its end", "log", name, "err", err)
		panic(http.ErrAbortHandler) // the client must not take what it has for all of it
	}
}

// sendLog sends bytes from an offset on: at most limit of them (0: all).
func (a *API) sendLog(ctx context.Context, w http.ResponseWriter, name string, offset, limit int64, follow bool) error {
	control := http.NewResponseController(w)
	left := limit
	for {
		want := chunk
		if limit > 0 {
			want = int(min(int64(chunk), left))
		}
		p, err := a.Logs.Read(name, offset, want)
		if err != nil && andon.KindOf(err) != andon.KindNotFound {
			return err
		}
		if len(p) > 0 {
			if err := send(control, w, p); err != nil {
				return nil //nolint:nilerr // the client is gone, or too slow: it can go on from its offset
			}
			offset += int64(len(p))
			left -= int64(len(p))
			if limit > 0 && left <= 0 {
				return nil
			}
			continue
		}
		if !follow {
			return nil
		}
		if err := control.Flush(); err != nil {
			return nil //nolint:nilerr // as above
		}
		over, err := a.awaitLog(ctx, name, offset)
		if over || err != nil {
			return err
		}
	}
}

// sendTimeout is how long a client may take to receive one chunk.
const sendTimeout = 30 * time.Second

// send writes with a deadline, so that a client that does not read holds nothing.
func send(control *http.ResponseController, w io.Writer, p []byte) error {
	// A writer without deadlines is one of a test.
	_ = control.SetWriteDeadline(time.Now().Add(sendTimeout))
	if _, err := w.Write(p); err != nil {
		return err
	}
	return control.Flush()
}

// awaitLog waits until a log is longer than offset; over says that it will not be.
func (a *API) awaitLog(ctx context.Context, name string, offset int64) (over bool, err error) {
	waiting, cancel := context.WithTimeout(ctx, endCheck)
	defer cancel()
	info, err := a.Logs.Wait(waiting, name, offset)
	switch {
	case err == nil:
		return info.Finished && info.Size <= offset, nil
	case ctx.Err() != nil:
		return true, nil
	case errors.Is(err, context.DeadlineExceeded):
		a.endLog(ctx, name)
		return !a.willBe(ctx, name), nil
	case andon.KindOf(err) == andon.KindNotFound:
		return true, nil // it was removed
	default:
		return true, err
	}
}

// writerOf says who writes a log: an attempt at a task, or a copy.
func writerOf(name string) (task andon.TaskID, attempt int, instance andon.InstanceID) {
	words := strings.Split(name, "/")
	if len(words) == 3 && words[0] == "task" {
		attempt, err := strconv.Atoi(words[2])
		if err == nil {
			return andon.TaskID(words[1]), attempt, ""
		}
	}
	if len(words) == 2 && words[0] == "instance" {
		return "", 0, andon.InstanceID(words[1])
	}
	return "", 0, ""
}

// endLog finishes the log of an attempt that has ended. Whoever ended it may have gone away before
// the log was finished, so those who read it see to that.
func (a *API) endLog(ctx context.Context, name string) {
	task, attempt, _ := writerOf(name)
	if task == "" {
		return
	}
	info, err := a.Logs.Info(name)
	if err != nil || info.Finished || a.fresh(ctx) != nil {
		return
	}
	known, err := a.History.Task(ctx, task)
	if err != nil {
		return
	}
	for _, at := range known.Attempts {
		if at.Number == attempt && !at.Ended.IsZero() {
			if err := a.Logs.Finish(name, a.Engine.Now()); err != nil {
				a.Log.Warn("a log could not be finished", "log", name, "err", err)
			}
		}
	}
}

// willBe reports whether somebody may still write to a log.
func (a *API) willBe(ctx context.Context, name string) bool {
	task, attempt, instance := writerOf(name)
	alive := false
	err := a.Engine.View(ctx, func(s *line.State) {
		if t := s.Tasks[task]; t != nil {
			alive = t.Attempt <= attempt
		}
		if instance == "" {
			return
		}
		for _, p := range s.Places {
			if _, wanted := p.Desired.Copy(instance); wanted {
				alive = true
			}
			if r := p.Copies[instance]; r != nil && r.Observed.Phase != andon.PhaseStopped {
				alive = true
			}
		}
	})
	return err == nil && alive
}

// number reads a parameter that counts; empty is 0.
func number(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, andon.Errorf(andon.KindInvalid, "%.50q is not a number of bytes or events", text)
	}
	return n, nil
}
