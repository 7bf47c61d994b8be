package line

import "math/rand/v2"

// chance is the seeded dice of a simulated history.
type chance struct{ *rand.Rand }

func newChance(seed uint64) *chance { return &chance{rand.New(rand.NewPCG(seed, 0xa11d0))} }

// in reports true once in n times.
func (c *chance) in(n int) bool { return c.IntN(n) == 0 }

func pick[T any](c *chance, of []T) T { return of[c.IntN(len(of))] }
