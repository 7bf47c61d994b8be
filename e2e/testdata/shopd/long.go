package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// conversations are the connections that have no end of their own. A copy that is told to stop
// ends each at the border of a message.
type conversations struct {
	over context.Context // done when the copy is to stop
	open sync.WaitGroup  // the websockets
}

func newConversations(over context.Context) *conversations { return &conversations{over: over} }

// goodbye is how long a client may take to answer the end of a websocket.
const goodbye = 3 * time.Second

// echo answers each message of a websocket with itself, until the copy is to stop: then it closes
// with 1001, and answers nothing that comes later.
func (c *conversations) echo(w http.ResponseWriter, r *http.Request) {
	c.open.Add(1)
	defer c.open.Done()
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	socket, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer socket.Close()
	var turn sync.Mutex // to write: a message, and nothing after the end
	stop := context.AfterFunc(c.over, func() {
		turn.Lock()
		defer turn.Unlock()
		end := websocket.FormatCloseMessage(websocket.CloseGoingAway, "this copy stops")
		_ = socket.WriteControl(websocket.CloseMessage, end, time.Now().Add(goodbye))
		_ = socket.SetReadDeadline(time.Now().Add(goodbye))
	})
	defer stop()
	for {
		kind, message, err := socket.ReadMessage()
		if err != nil {
			return
		}
		turn.Lock()
		if c.over.Err() == nil {
			err = socket.WriteMessage(kind, message)
		}
		turn.Unlock()
		if err != nil {
			return
		}
	}
}

// between is the time between two events.
const between = 50 * time.Millisecond

// events counts on from the event that the client had last, until the copy is to stop: then the
// answer ends after a whole event.
func (c *conversations) events(w http.ResponseWriter, r *http.Request) {
	last, _ := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64)
	w.Header().Set("Content-Type", "text/event-stream")
	ticker := time.NewTicker(between)
	defer ticker.Stop()
	for {
		last++
		if _, err := fmt.Fprintf(w, "id: %d\ndata: event %d\n\n", last, last); err != nil {
			return
		}
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			return
		case <-c.over.Done():
			return
		}
	}
}
