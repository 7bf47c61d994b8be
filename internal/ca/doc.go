// Package ca is the plant's own certificate authority, and the identity that an agent gets from
// it: with a one-time token it has a key of its own signed, and from then on both sides prove who
// they are on every connection.
//
// The authority signs two kinds of certificates that cannot stand in for each other: the server's,
// for servers alone, and those of agents, for clients alone, each of which names its plant and its
// agent.
package ca
