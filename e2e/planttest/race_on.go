//go:build race

package planttest

// RaceEnabled says that programs are built with the race detector, as the tests are.
const RaceEnabled = true
