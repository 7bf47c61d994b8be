// Andon takes every commit to production, or stops the line.
package main

import (
	"os"

	"github.com/andon-cd/andon/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) }
