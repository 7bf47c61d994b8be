// Package estate reads the estate: the repository that declares the environments of a plant. It
// turns its files into environments, or into problems with file, line, column and a suggestion,
// and says what differs between two estates.
//
// An estate is read as a whole: either all of it is valid, or nothing of it applies. The package
// is pure: it reads no file, no clock and no environment.
package estate
