// Package line holds the state of the plant and decides what happens next: which versions
// enter which stages, what is deployed where, who runs which task, and what stops the line.
//
// It is pure: no I/O, no clock, no randomness. A command and the time go in, events come out;
// Apply is the only way in which state changes, so replaying the events gives the same state.
// Nothing in this package is safe for use by several goroutines at once: one goroutine owns
// a State, and everything that is read from it may be read only by that goroutine, and is
// never changed by it.
package line
