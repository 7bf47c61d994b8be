// Package journal is the contract of the append-only log of everything that happened, and the
// hash chain that shows that nothing in it was changed afterwards.
//
// The journal is the truth of a plant: state, history and audit are read from it. A driver
// keeps it on some storage (see journal/sqlite) and passes the suite in journal/journaltest.
package journal
