// Package runner runs one task on this host and leaves nothing of it behind: a fresh checkout, a
// process group of its own for all its steps, a record on disk before the first of them begins.
package runner
