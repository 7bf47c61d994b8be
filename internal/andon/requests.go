package andon

// Requests says what the proxies let through to the copies of a service, and to which one. It is
// part of a release: going back to an older version brings its own back.
type Requests struct {
	MaxBody  int64 `json:"max_body_bytes,omitempty"` // of one request; a larger one gets 413; 0: no limit
	InFlight int64 `json:"in_flight,omitempty"`      // at once on each proxy, for each copy in the route; one more gets 503; 0: no limit
	Sticky   bool  `json:"sticky,omitempty"`         // a client's requests go to one copy, by a cookie
}

// StickyCookie is the cookie of routes that keep clients at their copies.
const StickyCookie = "andon-copy"
