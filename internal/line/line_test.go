package line

import (
	"testing"

	"github.com/andon-cd/andon/internal/andon"
)

func TestVersion_GoesFromPushToProduction(t *testing.T) {
	p := newPlant(t)
	p.checks.thorough = true
	n := p.Push("a1")
	p.Finish("test", andon.Succeeded)
	p.Finish("build", andon.Succeeded)
	p.Settle()
	p.ended(n, andon.Succeeded)
	p.maturity(n, andon.Certified)
	if p.Live("test") != 1 || p.Live("production") != 1 {
		t.Fatalf("live: test %d, production %d", p.Live("test"), p.Live("production"))
	}
	if got, want := p.json(p.replayed()), p.json(p.s); got != want {
		t.Errorf("replayed:\n%s\nis not\n%s", got, want)
	}
}
