// Package sqlite keeps a journal in one SQLite file.
//
// The file is in WAL mode and written with synchronous=FULL: a commit is one write and one
// fdatasync of the WAL. One connection writes; others read beside it. The schema is plain SQL
// with PRAGMA user_version instead of a migration library: opening a journal is on the path of
// every start, and one pragma costs microseconds where a library brings its own table, its own
// transactions and its own fsyncs.
package sqlite
