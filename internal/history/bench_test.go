package history_test

import (
	"errors"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
)

// years is a history of 100,000 versions of one service, each tenth of them deployed.
func years(b *testing.B) (*history.History, int) {
	var s story
	s.begin()
	for n, live := 1, 0; n <= 100_000; n++ {
		s.push(n, map[bool]string{true: "main", false: "topic"}[n%3 > 0], andon.Succeeded)
		if n%10 == 0 {
			s.deploy(n/10, n, live, andon.Succeeded)
			live = n
		}
		s.end(n, andon.Succeeded)
	}
	begin := time.Now()
	h := told(b, &s)
	b.Logf("%d events took %v", len(s.events), time.Since(begin))
	return h, len(s.events)
}

// BenchmarkQueries asks a history of 100,000 versions what pages ask.
func BenchmarkQueries(b *testing.B) {
	h, events := years(b)
	ctx := b.Context()
	for name, ask := range map[string]func() error{
		"versions": func() error {
			_, err := h.Versions(ctx, history.VersionFilter{Service: "shop"})
			return err
		},
		"versions=deep": func() error {
			_, err := h.Versions(ctx, history.VersionFilter{Service: "shop", Branch: "topic", Before: 50_000})
			return err
		},
		"versions=rare": func() error {
			_, err := h.Versions(ctx, history.VersionFilter{Service: "shop", Maturity: andon.Quarantined})
			return err
		},
		"version": func() error {
			_, err := h.Version(ctx, ref(50_000))
			return err
		},
		"find": func() error {
			_, err := h.FindVersion(ctx, "shop", string(commit(77_777)))
			return err
		},
		"deployments": func() error {
			_, err := h.Deployments(ctx, history.DeploymentFilter{Service: "shop", Environment: "production"})
			return err
		},
		"deployment": func() error {
			_, err := h.Deployment(ctx, andon.NewDeploymentID(place, 5000))
			return err
		},
		"good": func() error {
			_, err := h.GoodReleases(ctx, place, 10)
			return err
		},
		"audit": func() error {
			_, err := h.Audit(ctx, history.AuditFilter{Service: "shop", Before: andon.Seq(events / 2)})
			return err
		},
		"expired": func() error {
			_, err := h.Expired(ctx, history.Retention{Versions: 99_000, Releases: 5}, epoch.Add(1e6*time.Hour), 100)
			return err
		},
		"search=version":   func() error { return found(h.Search(ctx, "shop 77777")) },
		"search=commit":    func() error { return found(h.Search(ctx, string(commit(77_777)))) },
		"search=rare":      func() error { return found(h.Search(ctx, "change 77777")) },
		"search=all":       func() error { return found(h.Search(ctx, "ali")) },   // each version's author
		"search=beginning": func() error { return found(h.Search(ctx, "chang")) }, // of a word of each message
		"search=none":      func() error { _, _, err := h.Search(ctx, "PAY-1"); return err },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := ask(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// found fails a search that finds nothing.
func found(all []history.Found, _ []history.FoundKind, err error) error {
	if err == nil && len(all) == 0 {
		return errors.New("nothing was found")
	}
	return err
}

// BenchmarkApply is what the history costs for each push of a version, and to make it anew.
func BenchmarkApply(b *testing.B) {
	for name, pushes := range map[string]int{"live": 1, "anew": 200} {
		b.Run(name, func(b *testing.B) {
			var s story
			s.begin()
			h := told(b, &s)
			for n := 0; b.Loop(); {
				from := len(s.events)
				for range pushes {
					n++
					s.push(n, "main", andon.Succeeded)
				}
				if err := h.Apply(b.Context(), s.events[from:]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(s.events))/b.Elapsed().Seconds(), "events/s")
		})
	}
}
