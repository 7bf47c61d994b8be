package metrics

import (
	"slices"
	"time"
)

// Median returns the middle of times, or the mean of the two in the middle; 0 without any. It
// changes their order.
func Median(times []time.Duration) time.Duration { return medianWith(times, 0) }

// medianWith returns the median of times, none of which is negative, and of so many zeros besides.
func medianWith(times []time.Duration, zeros int) time.Duration {
	n := len(times) + zeros
	if n == 0 {
		return 0
	}
	upper := ranking(times, n/2-zeros)
	if n%2 == 1 {
		return upper
	}
	lower := time.Duration(0)
	if at := n/2 - zeros; at > 0 {
		lower = slices.Max(times[:at]) // ranking left the smaller ones there
	}
	return lower + (upper-lower)/2
}

// ranking returns the k-th of times in rising order, counted from 0, and leaves the smaller ones
// before it: Hoare's Find (Algorithm 65, 1961), which takes linear time where sorting does not. Before the first there is 0.
func ranking(times []time.Duration, k int) time.Duration {
	if k < 0 {
		return 0
	}
	lo, hi := 0, len(times)-1
	for lo < hi {
		pivot := middle(times[lo], times[lo+(hi-lo)/2], times[hi])
		i, j := lo, hi
		for i <= j {
			for times[i] < pivot {
				i++
			}
			for pivot < times[j] {
				j--
			}
			if i <= j {
				times[i], times[j] = times[j], times[i]
				i, j = i+1, j-1
			}
		}
		switch {
		case k <= j:
			hi = j
		case k >= i:
			lo = i
		default:
			return times[k]
		}
	}
	return times[k]
}

// middle returns the median of three.
func middle(a, b, c time.Duration) time.Duration {
	return max(min(a, b), min(max(a, b), c))
}
