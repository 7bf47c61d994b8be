package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// chatter is the time between two messages of a websocket.
const chatter = 50 * time.Millisecond

// talking says one number after the other over a websocket, and wants to hear each. When the other
// side goes away in good order (1001, between two messages) it comes back and says again what was not
// answered. Anything else is a broken conversation.
func talking(ctx context.Context, v *visit) {
	dialer := &websocket.Dialer{NetDialContext: v.dial, TLSClientConfig: v.tls, HandshakeTimeout: patience}
	for next := int64(1); ctx.Err() == nil; {
		v.door.RLock()
		socket, answer, err := dialer.Dial(strings.Replace(v.url("/echo"), "http", "ws", 1), nil)
		code := 0
		if answer != nil {
			code = answer.StatusCode
		}
		v.note(code, err)
		v.door.RUnlock()
		if err != nil {
			wait(ctx)
			continue
		}
		reached, err := talk(ctx, socket, next)
		v.add(reached-next, 0)
		next = reached
		switch {
		case ctx.Err() != nil:
			return
		case goesAway(err):
			v.add(0, 1)
		default:
			v.complain(fmt.Errorf("the conversation breaks at message %d: %w", next, err))
		}
	}
}

// goesAway reports whether the other side has closed in good order, since it stops.
func goesAway(err error) bool {
	closed, ok := errors.AsType[*websocket.CloseError](err)
	return ok && closed.Code == websocket.CloseGoingAway
}

// talk says the numbers from next on until it cannot, and returns the first that was not answered.
func talk(ctx context.Context, socket *websocket.Conn, next int64) (int64, error) {
	defer socket.Close()
	ticker := time.NewTicker(chatter)
	defer ticker.Stop()
	for pause(ctx, ticker) {
		said := strconv.FormatInt(next, 10)
		_ = socket.SetReadDeadline(time.Now().Add(patience))
		// What cannot be written may be for the end that is there to be read.
		wrote := socket.WriteMessage(websocket.TextMessage, []byte(said))
		_, heard, err := socket.ReadMessage()
		if err != nil {
			return next, errors.Join(err, wrote)
		}
		if string(heard) != said {
			return next, fmt.Errorf("%q is answered with %q", said, heard)
		}
		next++
	}
	end := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	return next, socket.WriteControl(websocket.CloseMessage, end, time.Now().Add(time.Second))
}

// listening reads a stream of events. When it ends in good order, after a whole event, it goes on
// after the last one that it had, and none may be missing or come again.
func listening(ctx context.Context, v *visit) {
	client := v.client()
	client.Timeout = 0
	for last := int64(0); ctx.Err() == nil; {
		reached, err := v.listen(ctx, client, last)
		v.add(reached-last, 0)
		last = reached
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			v.add(0, 1)
		default:
			v.complain(fmt.Errorf("the stream breaks after event %d: %w", last, err))
			wait(ctx)
		}
	}
}

// listen reads one stream to its end, and returns the last event.
func (v *visit) listen(ctx context.Context, client *http.Client, last int64) (int64, error) {
	answer, err := v.subscribe(ctx, client, last)
	if err != nil {
		return last, err
	}
	defer answer.Body.Close()
	stream := bufio.NewReader(answer.Body)
	for {
		want := fmt.Sprintf("id: %d\ndata: event %d\n\n", last+1, last+1)
		event := make([]byte, len(want))
		switch n, err := io.ReadFull(stream, event); {
		case errors.Is(err, io.EOF) && n == 0:
			return last, nil
		case err != nil:
			return last, fmt.Errorf("%d bytes of an event, and then: %w", n, err)
		case string(event) != want:
			return last, fmt.Errorf("the next event is %q", event)
		}
		last++
	}
}

// subscribe asks for the stream after an event, and counts that.
func (v *visit) subscribe(ctx context.Context, client *http.Client, last int64) (*http.Response, error) {
	v.door.RLock()
	defer v.door.RUnlock()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.url("/events"), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Last-Event-ID", strconv.FormatInt(last, 10))
	answer, err := client.Do(req)
	if err != nil {
		if ctx.Err() == nil {
			v.note(0, nil)
		}
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		answer.Body.Close()
		v.note(answer.StatusCode, nil)
		return nil, errors.New(answer.Status)
	}
	v.note(answer.StatusCode, nil)
	return answer, nil
}

// wait keeps a customer who was let down from asking as fast as it can.
func wait(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Second):
	}
}
