// Package screen takes over a terminal for as long as a program draws on it, and gives it back as
// it was, however the program ends.
package screen
