package main

import (
	"net/http"
	"os"
	"time"
)

// worse is what is wrong with a version that is healthy and passes its smoke tests all the same:
// with the file refuses it takes no order, and with the file lags it takes its time. It reports
// whether it has answered.
func worse() func(w http.ResponseWriter, r *http.Request) bool {
	_, err := os.Stat("refuses")
	refuses := err == nil
	_, err = os.Stat("lags")
	lags := err == nil
	return func(w http.ResponseWriter, r *http.Request) bool {
		if lags {
			select {
			case <-time.After(time.Second):
			case <-r.Context().Done():
			}
		}
		if refuses && r.URL.Path == "/order" {
			http.Error(w, "no orders today", http.StatusInternalServerError)
			return true
		}
		return false
	}
}
