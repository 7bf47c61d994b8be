// Package history answers questions about what happened: read models in a SQLite database of
// their own, made from the events of the journal and from nothing else.
//
// The database is disposable. One that is missing, damaged, of another format, or not made from
// this journal is made again by CatchUp. It knows the journal only as a Source of events.
package history
