package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// flapping answers that all is well; while it flaps, only every second time. It flaps from the start
// on in a version with the file flaps, and begins or ends to with each SIGUSR1.
func flapping() http.HandlerFunc {
	var flaps atomic.Bool
	_, err := os.Stat("flaps")
	flaps.Store(err == nil)
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGUSR1)
	go func() {
		for range told {
			flaps.Store(!flaps.Load())
		}
	}()
	var asked atomic.Int64
	return func(w http.ResponseWriter, _ *http.Request) {
		if flaps.Load() && asked.Add(1)%2 == 0 {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	}
}
