package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// LogLines returns up to count lines of a log from line first on, which counts from 1; a negative
// first counts from the end. 0 counts 1000.
func (c *Client) LogLines(ctx context.Context, log string, first int64, count int) (l Lines, err error) {
	q := values{}.text("log", log).number("first", first).number("count", int64(count))
	return l, c.get(ctx, path("logs", "lines"), q.Values(), &l)
}

// LogBytes returns the bytes of a log from an offset on; the caller closes them. With follow they
// end when the log is finished, and until then new ones come as they are written.
func (c *Client) LogBytes(ctx context.Context, log string, offset int64, follow bool) (io.ReadCloser, error) {
	q := values{}.text("log", log).number("offset", offset).flag("follow", follow)
	resp, err := c.send(ctx, http.MethodGet, path("logs", "bytes"), q.Values(), nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Backup returns the whole plant as one file, made while it runs; the caller closes it. A backup
// that breaks off ends with an error of the reader, and Restore refuses it.
func (c *Client) Backup(ctx context.Context) (io.ReadCloser, error) {
	resp, err := c.send(ctx, http.MethodGet, path("backup"), nil, nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// maxEvent bounds one event of a stream.
const maxEvent = 16 << 20

// eventSilence is how long a stream of events may be silent: a plant shows every 15 s that it lives.
const eventSilence = 45 * time.Second

// Events calls take with every event of the journal after a position, first those that are there,
// then each as it happens. It returns the error of take, or one that says that the connection
// ended, or was silent for too long: the caller goes on with the last position that it has seen.
func (c *Client) Events(ctx context.Context, after int64, take func(Event) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silence := time.AfterFunc(eventSilence, cancel)
	defer silence.Stop()
	resp, err := c.send(ctx, http.MethodGet, path("events"), values{"after": strconv.FormatInt(after, 10)}.Values(), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(make([]byte, 0, 64<<10), maxEvent)
	var data bytes.Buffer
	for lines.Scan() {
		silence.Reset(eventSilence)
		line := lines.Text()
		if rest, ok := strings.CutPrefix(line, "data:"); ok {
			data.WriteString(strings.TrimPrefix(rest, " "))
			continue
		}
		if line != "" || data.Len() == 0 {
			continue
		}
		var e Event
		if err := json.Unmarshal(data.Bytes(), &e); err != nil {
			return &Error{Kind: KindInternal, Message: "the plant sent an event that this client does not understand"}
		}
		data.Reset()
		if err := take(e); err != nil {
			return err
		}
	}
	return c.unreachable(ctx)
}
