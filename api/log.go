package api

import (
	"encoding/json"
	"time"
)

// Lines are some lines of a log.
type Lines struct {
	Log      string    `json:"log"`
	Size     int64     `json:"size" doc:"of the whole log, in bytes"`
	Total    int64     `json:"total" doc:"lines in the whole log"`
	Finished bool      `json:"finished" doc:"nothing will be appended"`
	Dropped  int64     `json:"dropped,omitempty" doc:"bytes beyond the limit of a log"`
	Lines    []LogLine `json:"lines"`
	Next     int64     `json:"next" doc:"the line to go on with"`
}

// A LogLine is one line of a log.
type LogLine struct {
	Number int64      `json:"number" doc:"from 1"`
	Offset int64      `json:"offset" doc:"of its first byte"`
	Text   string     `json:"text"`
	Cut    bool       `json:"cut,omitempty" doc:"the line is longer; this is its beginning"`
	At     *time.Time `json:"at,omitempty" doc:"when it came in, to about 100 ms"`
}

// An Entry is one event of the journal in a sentence.
type Entry struct {
	Position    int64     `json:"position" doc:"in the journal; the key of pages"`
	Time        time.Time `json:"time"`
	By          string    `json:"by"`
	Name        string    `json:"name" doc:"of the event"`
	Service     string    `json:"service,omitempty"`
	Version     int64     `json:"version,omitempty"`
	Environment string    `json:"environment,omitempty"`
	Sentence    string    `json:"sentence"`
}

// An Event is one event of the journal as it is. Its body is the journal's own format, whose
// durations are nanoseconds and end in _ns.
type Event struct {
	Position int64           `json:"seq"`
	Time     time.Time       `json:"time"`
	By       string          `json:"by"`
	Name     string          `json:"name"`
	Body     json.RawMessage `json:"body"`
}
