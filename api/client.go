package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// callTimeout bounds a request that is no wait and no stream, when its context does not.
	callTimeout = time.Minute
	// answerLimit bounds one JSON answer.
	answerLimit = 256 << 20
)

// A Client calls the API of one plant. Its methods may be used from several goroutines. Errors
// are *Error: those of the plant, and of KindUnreachable when it does not answer.
type Client struct {
	Server string // "http://127.0.0.1:8600"
	Token  string
	HTTP   *http.Client // nil: http.DefaultClient
}

// do sends a request with a JSON body (unless question is nil) and decodes the answer into
// answer (unless that is nil).
func (c *Client) do(ctx context.Context, method, path string, query url.Values, question, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return c.call(ctx, method, path, query, question, answer)
}

func (c *Client) get(ctx context.Context, path string, query url.Values, answer any) error {
	return c.do(ctx, http.MethodGet, path, query, nil, answer)
}

func (c *Client) call(ctx context.Context, method, path string, query url.Values, question, answer any) error {
	resp, err := c.send(ctx, method, path, query, question)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if answer == nil {
		return nil
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return c.unreachable(ctx)
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return &Error{
			Kind: KindInternal, Message: fmt.Sprintf("%s answers with what this client does not understand", c.Server),
			Hint: "see that the address is a plant's, and that client and plant are of versions that belong together",
		}
	}
	return nil
}

// send sends a request and returns the answer of a request that succeeded; the caller closes its body.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, question any) (*http.Response, error) {
	var body io.Reader
	if question != nil {
		data, err := json.Marshal(question)
		if err != nil {
			return nil, &Error{Kind: KindInvalid, Message: "the request cannot be written as JSON: " + err.Error()}
		}
		body = bytes.NewReader(data)
	}
	if at, err := url.Parse(c.Server); err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		return nil, &Error{Kind: KindInvalid, Message: fmt.Sprintf("%q is not the address of a plant", c.Server), Hint: "write it like http://127.0.0.1:8600"}
	}
	target := strings.TrimSuffix(c.Server, "/") + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, &Error{Kind: KindInvalid, Message: "the request cannot be made: " + err.Error()}
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx)
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		return nil, c.refusal(resp)
	}
	return resp, nil
}

func (c *Client) unreachable(ctx context.Context) error {
	if ctx.Err() == context.DeadlineExceeded {
		return &Error{Kind: KindTimeout, Message: fmt.Sprintf("the plant at %s did not answer in time", c.Server)}
	}
	return &Error{
		Kind: KindUnreachable, Message: fmt.Sprintf("the plant at %s does not answer", c.Server),
		Hint: "start it with `andon server`, or name another one with --server", away: true,
	}
}

// refusal returns the error of an answer that is not a success.
func (c *Client) refusal(resp *http.Response) error {
	data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	var f Failure
	if err == nil && json.Unmarshal(data, &f) == nil && f.Error != nil && f.Error.Kind != "" {
		return f.Error
	}
	kind := KindInternal
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		kind = KindSignIn
	case http.StatusNotFound:
		kind = KindNotFound
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		kind = KindUnavailable
	}
	return &Error{
		Kind: kind, Message: fmt.Sprintf("%s answers %s, and does not say why as a plant does", c.Server, resp.Status),
		Hint: "see that it is the address of a plant, as `andon server` prints it, and what is in front of it",
	}
}

// path joins segments, each escaped.
func path(segments ...string) string {
	var b strings.Builder
	b.WriteString("/api/v1")
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(s))
	}
	return b.String()
}
