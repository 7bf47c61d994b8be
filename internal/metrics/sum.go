package metrics

import (
	"cmp"
	"math"
	"time"
)

// A Sum is times added up, to the nanosecond. It goes on where a time.Duration ends, at 292 years:
// the lead times of 50,000 changes that take three days each are longer. None of them is negative.
type Sum struct {
	seconds     int64
	nanoseconds int64 // less than a second
}

// Add adds a time.
func (s *Sum) Add(t time.Duration) {
	nanoseconds := s.nanoseconds + int64(t%time.Second)
	s.seconds += int64(t/time.Second) + nanoseconds/int64(time.Second)
	s.nanoseconds = nanoseconds % int64(time.Second)
}

// Seconds returns the sum as a fraction.
func (s Sum) Seconds() float64 {
	return float64(s.seconds) + float64(s.nanoseconds)/float64(time.Second)
}

// Milliseconds returns the whole milliseconds of the sum.
func (s Sum) Milliseconds() int64 {
	return s.seconds*1000 + s.nanoseconds/int64(time.Millisecond)
}

// Compare returns -1, 0 or 1, as the sum is less than, the same as or more than another one.
func (s Sum) Compare(o Sum) int {
	return cmp.Or(cmp.Compare(s.seconds, o.seconds), cmp.Compare(s.nanoseconds, o.nanoseconds))
}

// share returns which part of another sum this one is; 0 of nothing.
func (s Sum) share(of Sum) float64 {
	if of == (Sum{}) {
		return 0
	}
	return s.Seconds() / of.Seconds()
}

// total adds times up.
func total(times []time.Duration) (sum Sum) {
	part := time.Duration(0) // what fits in one is added the fast way
	for _, t := range times {
		if t > math.MaxInt64-part {
			sum.Add(part)
			part = 0
		}
		part += t
	}
	sum.Add(part)
	return sum
}
