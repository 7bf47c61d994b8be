package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// How long calls to the server may take, and how much they may answer.
const (
	callTimeout = 15 * time.Second
	pollTimeout = 40 * time.Second // the server answers after 20 s at the latest
	logTimeout  = 30 * time.Second
	answerLimit = 64 << 20
)

// A Client speaks to a server over HTTP. It implements Plant.
type Client struct {
	origin *url.URL
	token  string
	http   http.Client
}

var _ Plant = (*Client)(nil)

// Dial returns a client of the server at an http or https address, which it does not call
// yet. The token is the agent's own; empty: transport proves who it is. The requests go through
// transport; nil: one of its own.
func Dial(address, token string, transport http.RoundTripper) (*Client, error) {
	origin, err := url.Parse(address)
	if err != nil || (origin.Scheme != "http" && origin.Scheme != "https") || origin.Host == "" {
		return nil, andon.Errorf(andon.KindInvalid, "%q is not the address of a server", address).
			WithHint("Give it as http://HOST:PORT or https://HOST.")
	}
	if transport == nil {
		transport = &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         Dialer().DialContext,
			MaxIdleConnsPerHost: 16,
			IdleConnTimeout:     90 * time.Second,
			TLSHandshakeTimeout: 10 * time.Second,
			WriteBufferSize:     64 << 10,
		}
	}
	return &Client{origin: origin, token: token, http: http.Client{Transport: transport}}, nil
}

// Dialer returns what connects to the server, also for a transport that is given to Dial. A server
// that is not reached any more is found out within 11 s of silence, not only when the long poll is
// over: it is asked again as soon as it is back.
func Dialer() *net.Dialer {
	return &net.Dialer{
		Timeout:         5 * time.Second,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3},
	}
}

// Check asks whether the server takes the token for an agent of that name, without connecting. It
// returns an error only when the server refuses it: one that does not answer may do so later.
func (c *Client) Check(ctx context.Context, name andon.AgentName) error {
	if err := c.call(ctx, callTimeout, "check", andon.Hello{Agent: name}, nil); err != nil && refused(err) {
		return notTaken(name, err, tokenHint(name))
	}
	return nil
}

// Join asks the server to let a host in with the secret of a token, and to certify the key of a
// request.
func (c *Client) Join(ctx context.Context, name andon.AgentName, secret string, request []byte) (signed andon.SignedAgent, err error) {
	return signed, c.call(ctx, callTimeout, "join", andon.JoinRequest{Agent: name, Secret: secret, Request: request}, &signed)
}

// Renew asks for the next certificate of the key that the connection proves.
func (c *Client) Renew(ctx context.Context, request []byte) (signed andon.SignedAgent, err error) {
	return signed, c.call(ctx, callTimeout, "renew", andon.RenewRequest{Request: request}, &signed)
}

// Hello implements Plant.
func (c *Client) Hello(ctx context.Context, hello andon.Hello) (welcome andon.Welcome, err error) {
	return welcome, c.call(ctx, callTimeout, "hello", hello, &welcome)
}

// Work implements Plant.
func (c *Client) Work(ctx context.Context, request andon.WorkRequest) (work andon.Work, err error) {
	return work, c.call(ctx, pollTimeout, "work", request, &work)
}

// Report implements Plant.
func (c *Client) Report(ctx context.Context, report andon.TaskReport) error {
	return c.call(ctx, callTimeout, "tasks/report", report, nil)
}

// Observe implements Plant.
func (c *Client) Observe(ctx context.Context, observation andon.Observation) error {
	return c.call(ctx, callTimeout, "observe", observation, nil)
}

// Count implements Plant.
func (c *Client) Count(ctx context.Context, counters andon.Counters) error {
	return c.call(ctx, callTimeout, "counters", counters, nil)
}

// AppendLog implements Plant.
func (c *Client) AppendLog(ctx context.Context, stream string, offset int64, p []byte) (int64, error) {
	var answer struct {
		Next int64 `json:"next"`
	}
	u := c.origin.JoinPath("agent/v1/logs", stream)
	u.RawQuery = "offset=" + strconv.FormatInt(offset, 10)
	err := c.post(ctx, logTimeout, u, "application/octet-stream", p, &answer)
	return answer.Next, err
}

// call posts a question as JSON and decodes the answer into answer, unless that is nil.
func (c *Client) call(ctx context.Context, timeout time.Duration, path string, question, answer any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	return c.post(ctx, timeout, c.origin.JoinPath("agent/v1", path), "application/json", body, answer)
}

func (c *Client) post(ctx context.Context, timeout time.Duration, u *url.URL, kind string, body []byte, answer any) error {
	var lent loan
	defer lent.returned()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), nil)
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	lent.lend(req, body)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	req.Header.Set("Content-Type", kind)
	resp, err := c.http.Do(req)
	if err != nil {
		if known, ok := errors.AsType[*andon.Error](err); ok {
			return known // the transport knows why: it is another server that answers
		}
		return c.unreachable(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return c.unreachable(err)
	}
	if resp.StatusCode >= 300 {
		return refusal(resp.StatusCode, data)
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return andon.Errorf(andon.KindInternal, "the server at %s answers with what this agent does not understand", c.origin.Host).
			WithHint("See that server and agent run versions of andon that belong together.").Because(err)
	}
	return nil
}

func (c *Client) unreachable(cause error) error {
	return andon.Errorf(andon.KindUnreachable, "the server at %s does not answer", c.origin.Host).
		WithHint("See whether it runs, and whether this host reaches it.").Because(cause)
}

// refusal returns the error that the server answered with.
func refusal(status int, data []byte) error {
	var answer struct {
		Error *andon.Error `json:"error"`
	}
	if json.Unmarshal(data, &answer) == nil && answer.Error != nil && answer.Error.Kind != "" {
		return answer.Error
	}
	kind := andon.KindInternal
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		kind = andon.KindSignIn
	case http.StatusNotFound:
		kind = andon.KindNotFound
	case http.StatusConflict:
		kind = andon.KindConflict
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		kind = andon.KindUnavailable
	}
	return andon.Errorf(kind, "the server answers with status %d", status)
}
