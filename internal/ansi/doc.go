// Package ansi reads what programs write for terminals, one line at a time: colours and other
// styles (ECMA-48, with the colours of xterm), and what was written over after a carriage return
// or a backspace. Everything else that steers a terminal is dropped.
package ansi
