// Command shopd is the service of the scenarios. What it does differently from version to version
// is in files of its working directory, so that a version needs no compiler.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	if _, err := os.Stat("crash"); err == nil {
		fmt.Fprintln(os.Stderr, "shopd: this version crashes at its start")
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	answer, err := os.ReadFile("answer.txt")
	if err != nil {
		fmt.Fprintln(os.Stderr, "shopd:", err)
		os.Exit(1)
	}
	version := os.Getenv("ANDON_VERSION")
	fmt.Printf("shopd %s of %s starts\n", version, os.Getenv("ANDON_ENVIRONMENT"))
	port := os.Getenv("PORT")
	if port == "" { // a worker
		<-ctx.Done()
		return
	}
	trouble := worse()
	respond := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if trouble(w, r) {
			return
		}
		if _, err := os.Stat("broken"); err == nil {
			http.Error(w, "this version is broken", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Shop-Version", version)
		_, _ = w.Write(answer)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", flapping())
	mux.HandleFunc("/env", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, os.Getenv(r.URL.Query().Get("name")))
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		ms, _ := strconv.Atoi(r.URL.Query().Get("ms"))
		select {
		case <-time.After(time.Duration(min(ms, 300_000)) * time.Millisecond):
		case <-r.Context().Done():
		}
		respond(w, r)
	})
	handleKinds(mux)
	long := newConversations(ctx)
	mux.HandleFunc("/echo", long.echo)
	mux.HandleFunc("/events", long.events)
	mux.HandleFunc("/", respond)
	at := os.Getenv("HOST")
	if at == "" {
		at = "127.0.0.1"
	}
	server := &http.Server{Addr: at + ":" + strings.TrimSpace(port), Handler: mux}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		<-ctx.Done()
		ending, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = server.Shutdown(ending)
		long.open.Wait() // the server does not know of websockets
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintln(os.Stderr, "shopd:", err)
		os.Exit(1)
	}
	<-ended
}
