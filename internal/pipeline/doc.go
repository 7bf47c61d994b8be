// Package pipeline reads andon.yaml: it turns the text into an andon.Pipeline or into
// problems with file, line, column, the line itself and a suggestion.
//
// The format is written down once, as shapes (format.go). The parser checks a file
// against them and Schema publishes them for editors, so the two cannot drift apart. What
// shapes cannot say (references between jobs, stages and environments) is in rules.go.
//
// The package is pure: it reads no file, no clock and no environment.
package pipeline
