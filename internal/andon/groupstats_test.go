package andon

import (
	"slices"
	"testing"
	"time"
)

func TestLatencyBounds_RiseByAFixedFactorAndNeverChange(t *testing.T) {
	b := LatencyBounds()
	if len(b) != LatencyBuckets-1 || b[0] != 500*time.Microsecond || b[4] != time.Millisecond || b[len(b)-1] != 65536*time.Millisecond {
		t.Errorf("%d bounds from %s by %s to %s", len(b), b[0], b[4], b[len(b)-1])
	}
	for i := 1; i < len(b); i++ {
		if f := float64(b[i]) / float64(b[i-1]); f < 1.189 || f > 1.190 {
			t.Errorf("bound %d is %.4f times the one before", i, f)
		}
	}
}

func TestLatencyBucket_HasBoundsIncluded(t *testing.T) {
	b := LatencyBounds()
	for d, want := range map[time.Duration]int{0: 0, b[0]: 0, b[0] + 1: 1, b[7]: 7, b[len(b)-1]: len(b) - 1, time.Hour: len(b)} {
		if got := LatencyBucket(b, d); got != want {
			t.Errorf("%s is in bucket %d, want %d", d, got, want)
		}
	}
}

func TestGroupStats_AddUpAlsoWithoutZerosAtTheEnd(t *testing.T) {
	a := GroupStats{Group: "g", Ledger: "d", Requests: 3, Errors: 1, Latency: []int64{1, 2}}
	sum := a.Plus(GroupStats{Requests: 4, Latency: []int64{0, 1, 3}})
	if sum.Group != "g" || sum.Requests != 7 || sum.Errors != 1 || !slices.Equal(sum.Latency, []int64{1, 3, 3}) {
		t.Errorf("the sum is %+v", sum)
	}
	if !slices.Equal(a.Latency, []int64{1, 2}) {
		t.Errorf("adding changed %+v", a)
	}
}

func TestInstanceID_NamesItsGroup(t *testing.T) {
	if g := NewInstanceID("shop.production.7", 3).Group(); g != "shop.production.7" {
		t.Errorf("the group is %s", g)
	}
}
