// Package api is the public face of a plant: the JSON of its HTTP API as Go types, and a client.
//
// Names are snake_case, times are RFC 3339 in UTC, durations are whole milliseconds and end in
// _ms. A field that is left out has no value: a deployment without "ended" goes on. New fields
// may appear at any time; existing ones keep their meaning within /api/v1.
package api
