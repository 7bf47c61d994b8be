// Package deploy holds the strategies by which a new group of copies takes the place of the old
// one. A strategy is a pure function: Next looks at what should be, at what agents attest and at
// the time, and returns one small step towards the goal. It needs no memory of its own, so a
// deployment goes on from wherever a crash, a lost agent or a change of mind left it.
//
// The goal is "this group has the traffic, and everything else is gone". Reverting is the same
// drive towards the group that was live before.
package deploy
