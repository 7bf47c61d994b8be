package cli

import (
	"fmt"
	"runtime"
)

// processorSlots is how many jobs a machine runs at once when nobody says a number.
func processorSlots() int { return max(2, runtime.NumCPU()) }

// jobSlots returns how many jobs an agent runs at once: what was asked for, else the usual.
func jobSlots(asked *int, usual int) (int, error) {
	if asked == nil {
		return usual, nil
	}
	if *asked < 0 {
		return 0, usage(fmt.Sprintf("--slots is %d: nothing runs fewer than 0 jobs at once", *asked), "With 0, only jobs that must run beside copies run there, one at a time.")
	}
	return *asked, nil
}
