// Package cli is the command line: one file per command. It is the only package that reads
// configuration (flags, environment, files of the user) and that knows the concrete drivers.
package cli
