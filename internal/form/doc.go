// Package form reads the YAML files that people write: it checks them against a format that is
// written down once, as shapes, and says of every problem its file, line and column, the line
// itself, and what to do. A Shape also describes itself as JSON Schema, so that editors and the
// parser cannot drift apart. What shapes cannot say is up to the rules of the format's own package.
//
// The package is pure: it reads no file, no clock and no environment.
package form
