// Package metrics measures how changes reach production, from facts that the journal recorded:
// what each change waited for and was worked on (its value stream), and the figures that the DORA
// research names. It is pure: it is given facts, and the time, and reads nothing itself.
package metrics
