//go:build !linux

package artifact

import "golang.org/x/sys/unix"

// syncTree makes the files below a directory durable.
func syncTree(string) error { return unix.Sync() }
