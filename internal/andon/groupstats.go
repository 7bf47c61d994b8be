package andon

import (
	"math"
	"sort"
	"strings"
	"time"
)

// GroupStats counts what the copies of one group answered in one place while requests were
// counted for one deployment (Route.Ledger). While a canary goes on, the old and the new group
// each have one of them with the same ledger, so what is compared happened at the same time.
//
// A proxy starts with zeros when it first sends a request of that ledger to a copy of the group,
// never counts down, and keeps those of as many ledgers as it keeps Ledgers of. Counts are of
// requests whose answer has ended. Upgraded connections (websockets) are not counted, and neither
// are requests that their client ended or that were cut off when a drain time was over: they say
// nothing of the group.
type GroupStats struct {
	Group    GroupID      `json:"group"`
	Ledger   DeploymentID `json:"ledger"`
	Requests int64        `json:"requests"`
	// Errors is how many of them were answered with status 5xx by the copy, or failed at it: no
	// connection, cut off, too slow. A request that was sent to another copy after that counts
	// for each group that had it.
	Errors int64 `json:"errors,omitempty"`
	// Latency counts requests by the time from when the copy was sent the request until the first
	// byte of its answer: element i, those within bounds[i] and over bounds[i-1] of LatencyBounds;
	// the one after the last bound, all over that. Zeros at the end may be left out. Requests
	// that failed without an answer are in Errors alone.
	Latency []int64 `json:"latency,omitempty"`
}

// The bounds of the latency counts: from firstLatency in octaves of latencySteps.
const (
	firstLatency   = 500 * time.Microsecond
	latencySteps   = 4
	latencyOctaves = 17
)

// LatencyBuckets is how many counts a full GroupStats.Latency has.
const LatencyBuckets = latencyOctaves*latencySteps + 2

// LatencyBounds returns the upper bounds of the latency counts, in rising order, each 2^(1/4) =
// 1.19 times the one before: from 0.5 ms to 65.5 s. They are part of the protocol between agents
// and server and never change. The slice is the caller's.
func LatencyBounds() []time.Duration {
	bounds := make([]time.Duration, LatencyBuckets-1)
	for i := range bounds {
		factor := math.Exp2(float64(i) / latencySteps)
		bounds[i] = (firstLatency * time.Duration(math.Round(factor*1e6))) / 1e6
	}
	return bounds
}

// LatencyBucket returns where in GroupStats.Latency a request counts that took d; bounds are
// those of LatencyBounds.
func LatencyBucket(bounds []time.Duration, d time.Duration) int {
	return sort.Search(len(bounds), func(i int) bool { return d <= bounds[i] })
}

// Plus returns the sum of what two proxies counted, or of what one counted for two ledgers: the
// group and the ledger are those of s.
func (s GroupStats) Plus(t GroupStats) GroupStats {
	sum := s
	sum.Requests += t.Requests
	sum.Errors += t.Errors
	sum.Latency = make([]int64, max(len(s.Latency), len(t.Latency)))
	for i := range sum.Latency {
		if i < len(s.Latency) {
			sum.Latency[i] = s.Latency[i]
		}
		if i < len(t.Latency) {
			sum.Latency[i] += t.Latency[i]
		}
	}
	return sum
}

// Group returns the group that a copy belongs to.
func (id InstanceID) Group() GroupID {
	if i := strings.LastIndexByte(string(id), '.'); i >= 0 {
		return GroupID(id[:i])
	}
	return GroupID(id)
}

// Within returns the bound within which the given share of the requests (0 to 1) had the first byte
// of their answer; false when there were none, or when it lies beyond the last bound.
func (s GroupStats) Within(share float64) (time.Duration, bool) {
	var all, sum int64
	for _, n := range s.Latency {
		all += n
	}
	bounds := LatencyBounds()
	for i, n := range s.Latency {
		if sum += n; float64(sum) >= share*float64(all) && all > 0 {
			if i < len(bounds) {
				return bounds[i], true
			}
			break
		}
	}
	return 0, false
}
