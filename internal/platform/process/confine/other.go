//go:build !linux

package confine

func choose(string) Warden { return none{why: "only Linux has control groups"} }

// restrain does nothing: one process cannot change another's limits.
func restrain(int) error { return nil }

// A Cell is what holds a copy. There is none on this system.
type Cell struct{}

// Killed returns 0.
func (c *Cell) Killed() (kills int, atLimit bool) { return 0, false }

// Kill does nothing.
func (c *Cell) Kill() {}

// Remove does nothing.
func (c *Cell) Remove() {}
