// Package logs keeps the output of tasks and copies: one append-only file per stream.
//
// A stream is NAME.part while it grows and NAME.log once it is finished, each with NAME.idx
// beside it: an index of lines, one entry for about every 64 KiB and for every time at which
// something came in, by which any line of a log of any length is found with one short read, and
// when it came in; and one for each line that begins or ends a step or a group. The index is
// derived but for the times; what is missing or wrong in it is made again from the log when the
// stream is opened.
//
// Nothing is forced to the disk before a stream is finished. What a crash takes from the end of
// a log is sent again by the agent, since the store tells it from which offset on.
package logs
