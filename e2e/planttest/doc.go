// Package planttest runs the real program for tests: it builds it, starts plants of it in
// directories of their own, works in repositories that are pushed to them, and sees to it that
// nothing of a run outlives it, also when the run is killed. It needs Linux: it looks into /proc.
//
// A package that uses it calls Main in its TestMain.
package planttest
