// Package proxy is the built-in reverse proxy: the traffic driver that needs nothing else.
//
// It has two halves. The proxy itself is a process of its own (Main, the hidden command
// "andon proxy"), which carries the requests and outlives the agent. The Driver lives in the
// agent's process: it implements traffic.Traffic by telling the proxy what to do, and starts
// the proxy again when it dies.
//
//	client ──▶ public listener ──▶ proxy process ──▶ copies
//	              (dup kept)            ▲  ▲
//	agent: Driver ──────────────────────┘  └── DIR/control.sock (a later agent adopts it here)
//
// The Driver opens the public listeners, hands them to the proxy and keeps its own duplicates,
// so that while a killed proxy is being replaced connections wait in the kernel's queue
// instead of being refused. A later agent gets the listeners back from the running proxy.
// A new binary takes the sockets over while the old process finishes what it has begun.
//
// # What is counted
//
// A request belongs to a place, and to the deployment that its route names, from when its head
// has been read and its route found. From then on it is counted exactly once:
//
//   - served, when the last byte of a copy's answer was handed to the connection, whatever its
//     status. An answer without an end counts when its head is written: an upgraded connection
//     (a websocket) and a stream of server-sent events;
//   - failed, when the proxy answered with 502, 503 or 504, or the answer was cut short by the
//     copy or because the drain time was over;
//   - client gone, when the client ended first;
//   - unknown, when the proxy itself was killed before any of these.
//
// Requests for no place (404, CONNECT, malformed ones), and those that announce a body larger than
// the route takes, are nobody's and not counted. What was in flight on a copy when traffic moved
// away from it counts at the switch, for the deployment that it moved to, and then as drained or
// cut off; a killed proxy leaves those in neither.
//
// # Files
//
// In DIR the proxy keeps routes.log (what it was told last, so that it serves at once when it
// starts again), counters.map (the ledgers, a mapped file that survives any death of the
// process, see slotFile), groups.map (what each group answered, alike), sticky.key, lane.0 and
// lane.1 (locks, see lanes.go), address (the public addresses that port 0 became), proxy.log,
// access.log and the files before it (if it is wanted) and certs (certificates of an authority,
// with their keys; the proxy that takes over finds them there).
package proxy
