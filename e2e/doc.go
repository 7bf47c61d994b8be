// Package e2e holds the scenarios against the real program: its own processes, its command line,
// its API, git, the address of its proxy, and the files of its data directory. Nothing of the
// program is linked in. The tests need Linux: they look into /proc.
package e2e
