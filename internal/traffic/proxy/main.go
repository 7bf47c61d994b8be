package proxy

import "context"

// Main is the proxy process: what the hidden command "andon proxy --dir DIR" runs. It expects
// to be started by a Driver, which passes its control connection as standard input, and
// returns when it is told to stop or ctx ends.
func Main(ctx context.Context, dir string) error { return nil }
