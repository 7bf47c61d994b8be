//go:build !linux

package proxy

// forgetStart does nothing where the system has no cheap way to tell which pages may go.
func forgetStart() {}
