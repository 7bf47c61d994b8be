package main

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/websocket"
)

// handleKinds adds what is more than a question and an answer.
func handleKinds(mux *http.ServeMux) {
	mux.HandleFunc("/kinds/socket", echo)
	mux.HandleFunc("/kinds/events", events)
	mux.HandleFunc("/kinds/upload", func(w http.ResponseWriter, r *http.Request) {
		sum := crc32.NewIEEE()
		n, err := io.Copy(sum, r.Body)
		fmt.Fprintln(w, n, sum.Sum32(), err)
	})
	mux.HandleFunc("/kinds/head", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "X-Hop")
		w.Header().Set("X-Hop", "for the proxy alone")
		_ = json.NewEncoder(w).Encode(struct {
			Host, Protocol string
			Header         http.Header
		}{r.Host, r.Proto, r.Header})
	})
}

// echo answers each message with itself.
func echo(w http.ResponseWriter, r *http.Request) {
	conn, err := new(websocket.Upgrader).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	for {
		kind, text, err := conn.ReadMessage()
		if err != nil || conn.WriteMessage(kind, text) != nil {
			return
		}
	}
}

// events sends as many events as it is asked for, 20 ms apart.
func events(w http.ResponseWriter, r *http.Request) {
	count, _ := strconv.Atoi(r.URL.Query().Get("count"))
	w.Header().Set("Content-Type", "text/event-stream")
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for n := range count {
		fmt.Fprintf(w, "data: %d\n\n", n+1)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			return
		}
	}
}
