// Package scrape serves what Prometheus reads: how the line does now, and what was counted since the
// journal began, with few labels of few values.
package scrape

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/andon-cd/andon/internal/engine"
	"github.com/andon-cd/andon/internal/history"
)

// Config is what is scraped.
type Config struct {
	Engine  *engine.Engine
	History *history.History
	Build   string // the version of andon
}

// atOnce bounds the scrapes that are answered at the same time; more are told to come again.
const atOnce = 4

// New returns the handler of /metrics. Whoever calls it has checked who asks.
func New(config Config) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(&plant{config}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: atOnce, EnableOpenMetrics: true})
}
