// Package haproxy is the traffic driver that moves requests with a HAProxy, 2.6 or later, which
// it starts and keeps: a process of its own that outlives the agent.
//
//	client ──▶ listener (fd, dup kept) ──▶ frontend ──map──▶ backend of a route ──▶ copies
//	                                          │
//	agent: Driver ◀── ring of ended requests ─┤
//	              ──▶ admin socket ───────────┘
//
// # A switch
//
// HAProxy cannot make backends while it runs. The configuration has a pool of them, each with
// slots for targets. A route that sends requests otherwise than before gets a backend that
// nobody uses: the driver sets its slots up over the admin socket, and then one commit of the
// map from host names to backends moves all routes at once. After it the driver makes all
// threads of HAProxy meet, so that no request is on its way by the old map when Apply returns.
// There is no reload, and what the old backend has in flight goes on in it. A backend that has
// nothing in flight any more goes back to the pool.
//
// # What is counted
//
// A backend belongs to one deployment, so whatever begins in it counts for that one. HAProxy's
// counters say how many requests began and are in flight, not how each of them ended: an answer
// cut short shows as one of status 200. So HAProxy writes a line for each request that has
// ended into a ring in its memory, and the driver counts the lines: served, failed, gone or
// retried. The counters check them: a line that was lost, because no agent has read the ring
// for longer than it holds (8 MiB, about 200,000 requests), counts as unknown. Upgraded connections and
// streams of events count as served when they begin, by a stick table with a line for each
// backend. What differs from the built-in proxy:
//
//   - A client that closes its connection counts as served if the copy, told of it, ends its
//     answer in good order; and one that closes after an answer which came before the end of its
//     request counts as gone. HAProxy does not tell these from the others.
//   - When HAProxy is killed, unknown is what was in flight as it was last read, which an agent
//     does each second. What ended in the moment before, and was not read, counts for nothing.
//   - Latencies are of whole milliseconds, and an answer that broke a reused connection before
//     its first byte and was repeated elsewhere counts for the last group alone.
//   - The longest drain is as of when the driver read it, some milliseconds after.
//
// # Restarts
//
// The driver keeps duplicates of the listeners, so connections wait while HAProxy is being
// started again, with the routes in its configuration. A later agent adopts a HAProxy that
// runs, by table.json, and reads the ring from where the last one had stopped. It does not have
// the listeners: if the adopted HAProxy dies, connections are refused until another one
// listens. Other pool sizes or addresses replace HAProxy in the same way: the old one finishes
// what it has begun.
//
// # Files
//
// In DIR: haproxy.cfg, hosts.map, bounds.map and 50x.http, written for each start; admin.sock, mode 0600;
// table.json, what the driver knows; address, what port 0 became; and haproxy.log.
package haproxy
