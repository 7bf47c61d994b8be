// Package andon holds the words of the plant: typed names, versions, pipelines,
// deployments, desired and observed state, events, and the kinds of errors.
//
// It is pure: no I/O, no clock, no randomness. Every other package speaks in
// these types, and this package imports none of them. The JSON of the types in
// this package is what the journal stores and what agents exchange with the
// server; the public API has types of its own in package api.
package andon
