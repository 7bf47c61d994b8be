//go:build !linux

package confine

func choose(string) Warden { return none{why: "only Linux has control groups"} }

// restrain does nothing: one process cannot change another's limits.
func restrain(int) error { return nil }

// A Cell is what holds a copy. There is none on this system.
type Cell struct{}

// Memory returns nothing.
func (c *Cell) Memory() Memory { return Memory{} }

// Kill does nothing.
func (c *Cell) Kill() int { return 0 }

// Remove does nothing.
func (c *Cell) Remove() {}
