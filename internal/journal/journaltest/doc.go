// Package journaltest is the suite that every driver of the journal passes.
package journaltest
