package andon

import (
	"strings"
	"time"
)

// Brief writes a duration as people write one in a file, without its zero parts: 40m and 1h30m, not
// 40m0s and 1h30m0s. It is exact; what was measured is rounded before.
func Brief(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
