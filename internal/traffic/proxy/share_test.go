package proxy

import (
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/deploy"
)

// TestPick_GivesACanaryItsShare doses groups of all sizes by the weights that the canary strategy
// computes, and counts who gets a thousand requests: within one percent of all, whatever share of
// them the requests in flight take.
func TestPick_GivesACanaryItsShare(t *testing.T) {
	const requests = 1000
	for _, percent := range []int{1, 5, 10, 25, 33, 50, 75, 99} {
		for _, sizes := range [][2]int{{1, 1}, {1, 2}, {2, 1}, {3, 7}, {7, 3}, {4, 4}, {13, 11}, {50, 50}, {100, 1}, {1, 100}} {
			after, before := deploy.Split(percent, sizes[0], sizes[1])
			r := &route{}
			for i := range sizes[0] + sizes[1] {
				id, weight := andon.NewInstanceID("new", i), after
				if i >= sizes[0] {
					id, weight = andon.NewInstanceID("old", i-sizes[0]), before
				}
				c := choice{target: newTarget(id, "127.0.0.1:1", func() {}), weight: int64(weight)}
				c.load.Store(int64(i * 37 % 11)) // some are busier than others
				r.targets = append(r.targets, c)
			}
			r.share()
			got := 0
			for range requests {
				if r.pick(nil).instance.Group() == "new" {
					got++
				}
			}
			if want := percent * requests / 100; got < want-requests/100 || got > want+requests/100 {
				t.Errorf("%d new and %d old copies: the new ones get %d of %d requests, want %d %%", sizes[0], sizes[1], got, requests, percent)
			}
		}
	}
}
