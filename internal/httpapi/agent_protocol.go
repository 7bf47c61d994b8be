package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/auth"
	"github.com/andon-cd/andon/internal/line"
)

const (
	// maxReport bounds what an agent says at once, as JSON.
	maxReport = 32 << 20
	// maxLog bounds one piece of a log.
	maxLog = 16 << 20
	// logBuffer is how much of it is in memory at once.
	logBuffer = 256 << 10
)

// agentProtocol adds the routes of agents. Server and agents belong together, so the routes are
// no part of the public description.
func (a *API) agentProtocol() {
	a.handle("POST /agent/v1/check", func(w http.ResponseWriter, r *http.Request) {
		answerAgent(a, w, r, func(_ context.Context, agent andon.AgentName, hello andon.Hello) (any, error) {
			return empty, checkName(agent, hello)
		})
	})
	a.handle("POST /agent/v1/hello", func(w http.ResponseWriter, r *http.Request) {
		answerAgent(a, w, r, func(ctx context.Context, agent andon.AgentName, hello andon.Hello) (any, error) {
			if err := checkName(agent, hello); err != nil {
				return nil, err
			}
			return a.Engine.Connect(ctx, hello)
		})
	})
	a.handle("POST /agent/v1/work", func(w http.ResponseWriter, r *http.Request) {
		answerAgent(a, w, r, func(ctx context.Context, agent andon.AgentName, request andon.WorkRequest) (any, error) {
			return a.Engine.Work(ctx, agent, request)
		})
	})
	a.handle("POST /agent/v1/tasks/report", func(w http.ResponseWriter, r *http.Request) {
		answerAgent(a, w, r, func(ctx context.Context, agent andon.AgentName, report andon.TaskReport) (any, error) {
			return empty, a.report(ctx, agent, report)
		})
	})
	a.handle("POST /agent/v1/observe", func(w http.ResponseWriter, r *http.Request) {
		answerAgent(a, w, r, func(ctx context.Context, agent andon.AgentName, observation andon.Observation) (any, error) {
			return empty, a.Engine.Observe(ctx, agent, observation)
		})
	})
	a.handle("POST /agent/v1/counters", func(w http.ResponseWriter, r *http.Request) {
		answerAgent(a, w, r, func(ctx context.Context, agent andon.AgentName, counters andon.Counters) (any, error) {
			return empty, a.Engine.Count(ctx, agent, counters)
		})
	})
	a.handle("POST /agent/v1/logs/{stream...}", a.appendLog)
}

var empty = struct{}{}

// checkName refuses an agent that comes with the token of another.
func checkName(agent andon.AgentName, hello andon.Hello) error {
	if hello.Agent != agent {
		return andon.Errorf(andon.KindRefused, "the token is that of agent %s, not of %.50s", agent, hello.Agent).
			WithHint("start the agent with its own name and token")
	}
	return nil
}

// answerAgent decodes what an agent says and answers it.
func answerAgent[In any](a *API, w http.ResponseWriter, r *http.Request, handle func(context.Context, andon.AgentName, In) (any, error)) {
	who, _ := auth.From(r.Context()) // the guard lets only agents through
	var in In
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxReport)).Decode(&in); err != nil {
		a.fail(w, r, errBody(err))
		return
	}
	out, err := handle(r.Context(), who.Agent, in)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, out)
}

func errBody(err error) *andon.Error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return andon.Errorf(andon.KindInvalid, "the request is larger than %d bytes", tooLarge.Limit).Because(err)
	}
	return andon.Errorf(andon.KindInvalid, "the request is not the JSON that belongs here").
		WithHint("see that server and agent are of versions that belong together").Because(err)
}

// report takes the end of a task, and finishes its log: the agent has sent all of it before.
func (a *API) report(ctx context.Context, agent andon.AgentName, report andon.TaskReport) error {
	stream := ""
	err := a.Engine.View(ctx, func(s *line.State) {
		if t := s.Tasks[report.Task]; t != nil && t.Agent == agent && t.Token == report.Token {
			stream = andon.TaskLogStream(report.Task, t.Attempt)
		}
	})
	if err != nil {
		return err
	}
	if err := a.Engine.Report(ctx, agent, report); err != nil {
		return err
	}
	if stream != "" {
		if err := a.Logs.Finish(stream, a.Engine.Now()); err != nil {
			a.Log.Warn("a log could not be finished", "log", stream, "err", err)
		}
	}
	return nil
}

// appendLog takes a piece of a log, and answers where the agent goes on.
func (a *API) appendLog(w http.ResponseWriter, r *http.Request) {
	offset, err := number(r.URL.Query().Get("offset"))
	if err != nil {
		a.fail(w, r, err)
		return
	}
	who, _ := auth.From(r.Context()) // the guard lets only agents through
	stream := r.PathValue("stream")
	if err := a.Engine.MayLog(r.Context(), who.Agent, stream); err != nil {
		a.fail(w, r, err)
		return
	}
	next, err := a.takeLog(stream, offset, http.MaxBytesReader(w, r.Body, maxLog))
	if err != nil {
		a.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]int64{"next": next})
}

// takeLog appends what body holds while it comes in, through one small buffer, and returns where
// the agent goes on. What was appended before an error stays: the agent repeats itself.
func (a *API) takeLog(stream string, offset int64, body io.Reader) (next int64, err error) {
	buffer, _ := a.buffers.Get().(*[logBuffer]byte)
	if buffer == nil {
		buffer = new([logBuffer]byte)
	}
	defer a.buffers.Put(buffer)
	for {
		n, err := io.ReadFull(body, buffer[:])
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return next, errBody(err)
		}
		ended := err != nil
		if next, err = a.Logs.Append(stream, offset, buffer[:n], a.Engine.Now()); err != nil || ended {
			return next, err
		}
		offset += int64(n)
	}
}
