package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

const (
	// checkTimeout bounds one request of a smoke test.
	checkTimeout = 10 * time.Second
	// checkTries is how often a request is made that finds nobody to connect to.
	checkTries = 5
	checkPause = 200 * time.Millisecond
	// maxAnswer is how much of an answer is searched for the text that it must contain.
	maxAnswer = 1 << 20
	// shownAnswer is how much of a wrong answer the log shows.
	shownAnswer = 512
)

// smoke runs the checks against the copy, one after the other, until one fails.
func (w *work) smoke(ctx context.Context) andon.TaskResult {
	if w.at.CopyURL == "" && w.needsCopy() {
		return andon.TaskResult{Outcome: andon.Failed, Reason: fmt.Sprintf("copy %s is not on this host any more", w.lease.Task.Instance)}
	}
	result := andon.TaskResult{Outcome: andon.Succeeded}
	checkedOut := false
	for _, check := range w.lease.Task.Checks {
		var ran andon.TaskResult
		switch {
		case check.HTTP != nil:
			ran = w.smokeHTTP(ctx, *check.HTTP)
		default:
			if !checkedOut {
				if err := w.checkout(ctx); err != nil {
					return failure(ctx, err)
				}
				checkedOut = true
			}
			ran = w.steps(ctx, []andon.Step{{Run: check.Run}})
		}
		result.Steps = append(result.Steps, ran.Steps...)
		if ran.Outcome != andon.Succeeded {
			result.Outcome, result.ExitCode, result.Reason = ran.Outcome, ran.ExitCode, "smoke test: "+ran.Reason
			break
		}
	}
	return result
}

func (w *work) needsCopy() bool {
	for _, check := range w.lease.Task.Checks {
		if check.HTTP != nil {
			return true
		}
	}
	return false
}

// smokeHTTP makes one request and compares the answer.
func (w *work) smokeHTTP(ctx context.Context, check andon.HTTPCheck) andon.TaskResult {
	want := check.Status
	if want == 0 {
		want = http.StatusOK
	}
	step := andon.StepResult{Name: "GET " + check.Path, Outcome: andon.Succeeded, Started: time.Now().UTC()}
	result := func(reason string) andon.TaskResult {
		step.Ended = time.Now().UTC()
		if reason != "" {
			step.Outcome = andon.Failed
		}
		return andon.TaskResult{Outcome: step.Outcome, Reason: reason, Steps: []andon.StepResult{step}}
	}
	status, body, err := get(ctx, w.at.CopyURL+check.Path)
	switch {
	case ctx.Err() != nil:
		return interrupted(ctx)
	case err != nil:
		fmt.Fprintf(w.at.Log, "GET %s: %v\n", check.Path, err)
		return result(fmt.Sprintf("GET %s got no answer: %v", check.Path, err))
	}
	fmt.Fprintf(w.at.Log, "GET %s: %d\n", check.Path, status)
	switch {
	case status != want:
		fmt.Fprintf(w.at.Log, "%s\n", shown(body))
		return result(fmt.Sprintf("GET %s answered %d, expected %d", check.Path, status, want))
	case check.Contains != "" && !bytes.Contains(body, []byte(check.Contains)):
		fmt.Fprintf(w.at.Log, "%s\n", shown(body))
		return result(fmt.Sprintf("GET %s answered without %q", check.Path, check.Contains))
	}
	return result("")
}

// get makes the request, again for a short while when nobody accepts the connection.
func get(ctx context.Context, address string) (status int, body []byte, err error) {
	client := &http.Client{
		Timeout:       checkTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DisableKeepAlives: true, Proxy: nil},
	}
	for try := 1; ; try++ {
		status, body, err = getOnce(ctx, client, address)
		if err == nil || try == checkTries || ctx.Err() != nil || !errors.Is(err, errNotConnected) {
			return status, body, err
		}
		timer := time.NewTimer(checkPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// errNotConnected says that the request reached nobody.
var errNotConnected = errors.New("connection refused")

func getOnce(ctx context.Context, client *http.Client, address string) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("User-Agent", "andon-smoke-test")
	answer, err := client.Do(request)
	if err != nil {
		if errors.Is(err, syscall.ECONNREFUSED) {
			return 0, nil, errNotConnected
		}
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the address, which is of no use to people
		}
		return 0, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	return answer.StatusCode, body, err
}

// shown returns the beginning of an answer, without what could confuse a terminal.
func shown(body []byte) string {
	text := strings.ToValidUTF8(string(body[:min(len(body), shownAnswer)]), "�")
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || !strconv.IsPrint(r) && r != '\n' && r != '\t' {
			return '·'
		}
		return r
	}, text)
}
