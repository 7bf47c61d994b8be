package andon

import (
	"testing"
	"time"
)

func TestBrief(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s":      0,
		"250ms":   250 * time.Millisecond,
		"10s":     10 * time.Second,
		"20m":     20 * time.Minute,
		"40m10s":  40*time.Minute + 10*time.Second,
		"1h":      time.Hour,
		"10h":     10 * time.Hour,
		"1h30m":   90 * time.Minute,
		"1h0m30s": time.Hour + 30*time.Second,
		"24h":     24 * time.Hour,
		"-1h":     -time.Hour,
	} {
		if got := Brief(d); got != want {
			t.Errorf("Brief(%s) = %q, want %q", d, got, want)
		}
		if back, err := time.ParseDuration(Brief(d)); err != nil || back != d {
			t.Errorf("Brief(%s) is read as %s (%v)", d, back, err)
		}
	}
}
