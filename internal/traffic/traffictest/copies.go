package traffictest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gorilla/websocket"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

// A copyOf is a real server that stands for a copy. Its answers name it.
type copyOf struct {
	traffic.Target
	held    chan struct{} // receives once for each request to /hold that has arrived
	release chan struct{} // one value lets one of them go on
}

// copy starts a copy that ends with the test.
func (b *bench) copy(n int64, i int) *copyOf {
	c := &copyOf{held: make(chan struct{}, 100), release: make(chan struct{}, 100)}
	mux := http.NewServeMux()
	name := andon.NewInstanceID(andon.GroupID(deployment(n)), i)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, string(name)) })
	mux.HandleFunc("/hold", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		c.held <- struct{}{}
		select {
		case <-c.release:
			io.WriteString(w, string(name))
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/fail", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, string(name), http.StatusInternalServerError)
	})
	mux.HandleFunc("/socket", func(w http.ResponseWriter, r *http.Request) { echoSocket(w, r) })
	mux.HandleFunc("/events", c.events)
	mux.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, " ", err)
	})
	mux.HandleFunc("/refuse", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex() // or it reads some of the body first
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		io.WriteString(w, "too large")
	})
	mux.HandleFunc("/trailers", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.Copy(w, r.Body)
		w.Header().Set("X-Sum", "42 "+r.Trailer.Get("X-Asked"))
	})
	mux.HandleFunc("/headers", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1234567")
		w.Header().Set("X-Seen", strings.Join([]string{r.Host, r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Host"), r.Header.Get("X-Forwarded-Proto")}, " "))
	})
	mux.HandleFunc("/break", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	server := httptest.NewServer(mux)
	b.Cleanup(server.Close)
	c.Target = traffic.Target{Instance: name, Address: strings.TrimPrefix(server.URL, "http://"), Weight: 1}
	return c
}

// events sends an event for each release.
func (c *copyOf) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	_ = http.NewResponseController(w).Flush()
	for n := 1; ; n++ {
		select {
		case <-c.release:
			fmt.Fprintf(w, "data: %d\n\n", n)
			_ = http.NewResponseController(w).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

func echoSocket(w http.ResponseWriter, r *http.Request) {
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := upgrader.Upgrade(w, r, nil)
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
