package haproxy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
)

// The files that HAProxy starts with, in its directory, which is its working directory.
const configName = "haproxy.cfg"

// firstFile is the descriptor of the first listener that HAProxy inherits.
const firstFile = 3

// render returns the configuration: with the public listeners, then those of the places, and
// the routes of the table in force, so that HAProxy serves from its first moment on.
func render(c Config, t *table) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Written by Andon for each start of HAProxy: changes are lost.
global
	log ring@ledger len 1024 format raw local0
	stats socket unix@%s mode 600 level admin
	stats timeout 1d
	maxconn %d
	no strict-limits
	hard-stop-after 10m
	node %s
	description %s

ring ledger
	format raw
	maxlen 1100
	size %d

defaults
	mode http
	log global
	log-format "%s"
	timeout connect 2s
	timeout client 5m
	timeout server 5m
	timeout tunnel 24h
	timeout http-request 10s
	timeout http-keep-alive 75s
	timeout tarpit 1s
	retries 2
	option redispatch 1
	option abortonclose
	retry-on conn-failure empty-response
	option http-restrict-req-hdr-names delete
	option dontlognull
	http-reuse safe
	option srvtcpka
	srvtcpka-idle 3s
	srvtcpka-intvl 1s
	srvtcpka-cnt 3
	default-server pool-purge-delay 1s tcp-ut 6s
	errorfile 502 502.http
	errorfile 503 503.http
	errorfile 504 504.http

# What has begun an answer without an end: a table with a line for each backend.
backend live
	stick-table type string len 16 size %d store gpc0,gpc1

frontend public
`, socketName, c.MaxConn, t.Run, digest(c), ringSize, logFormat, c.Backends+1)
	// HTTP/1.1 alone: over HTTP/2, HAProxy 2.6 ends an answer of unknown length that was cut off
	// as if it were whole.
	file := firstFile
	for range c.Listen {
		fmt.Fprintf(&b, "\tbind fd@%d proto h1\n", file)
		file++
	}
	frontRules(&b, "req.hdr(host),host_only,lower,rtrim(.)")
	b.WriteString("\nfrontend own\n")
	for n := range c.Places {
		fmt.Fprintf(&b, "\tbind fd@%d proto h1 id %d\n", file+n, n+1)
	}
	b.WriteString("\thttp-request set-var(txn.own) so_id\n")
	frontRules(&b, "str(own:),concat(,txn.own)")
	for _, backend := range t.Backends {
		b.WriteString("\n")
		renderBackend(&b, c, t, backend)
	}
	return b.String()
}

// frontRules find the backend by a key of the map, and say who asks.
func frontRules(b *strings.Builder, key string) {
	fmt.Fprintf(b, `	http-request return status 405 content-type "text/plain; charset=utf-8" string "Tunnels are not made here." if METH_CONNECT
	http-request set-var(txn.be) %[1]s,map_str(%[2]s)
	http-request return status 503 content-type "text/plain; charset=utf-8" hdr Retry-After 1 string "The services of this host are being started. Try again in a moment." if !{ var(txn.be) -m found } !{ str(%[3]s),map_str(%[2]s) -m found }
	http-request return status 404 content-type "text/plain; charset=utf-8" string "No service has this host name." if !{ var(txn.be) -m found }
	http-request del-header Forwarded
	http-request set-header X-Forwarded-For %%[src]
	http-request set-header X-Forwarded-Host %%[req.hdr(host)]
	http-request set-header X-Forwarded-Proto http
`, key, mapName, toldKey)
	boundBodies(b)
	b.WriteString(`	use_backend %[var(txn.be)]
`)
}

func renderBackend(b *strings.Builder, c Config, t *table, backend *backend) {
	fmt.Fprintf(b, `backend %s
	balance roundrobin
	cookie %s insert indirect nocache httponly attr SameSite=Lax dynamic
	dynamic-cookie-key %s
	http-request return status 503 content-type "text/plain; charset=utf-8" hdr Retry-After 1 string "The service has no copy that takes requests now." if { nbsrv eq 0 }
	http-request disable-l7-retry if !{ method GET HEAD OPTIONS PUT DELETE TRACE }
	http-response set-var(txn.live) int(%d) if { res.hdr(content-type) -m beg -i text/event-stream }
	http-response set-var(txn.live) int(%d) if { status 101 }
	http-response track-sc0 be_name table live if { var(txn.live) -m found }
	http-response sc-inc-gpc0(0) if { status 101 }
	http-response sc-inc-gpc1(0) if { var(txn.live) -m found }
`, backend.name(), andon.StickyCookie, t.Key, stream, upgraded)
	boundBackend(b, backend.name())
	var routed []slot
	if t.current(backend) {
		routed = backend.Slots
	}
	weight := weights(routed)
	for n := range c.Slots {
		if n >= len(routed) {
			fmt.Fprintf(b, "\tserver s%d 127.0.0.1:1 weight 1 disabled\n", n+1)
			continue
		}
		fmt.Fprintf(b, "\tserver s%d %s weight %d\n", n+1, routed[n].Address, weight[n])
	}
}

// ringSize is how much HAProxy remembers of what the driver has not read: about 40 bytes of
// each request.
const ringSize = 8 << 20

// renderMap returns the file of the map as HAProxy reads it when it starts.
func renderMap(all []entry) string {
	var b strings.Builder
	for _, e := range all {
		b.WriteString(e.key + " " + e.value + "\n")
	}
	return b.String()
}

// errorFile is an answer that HAProxy gives itself.
func errorFile(status int, reason, text string) string {
	return fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n%s",
		status, reason, len(text), text)
}

// files are what HAProxy reads when it starts, by name.
func files(c Config, t *table) map[string]string {
	routes := t.Routes
	if t.Changing {
		routes = t.Next
	}
	return map[string]string{
		configName: render(c, t),
		mapName:    renderMap(entries(routes, t.Told)),
		boundsName: renderMap(t.bounding()),
		"502.http": errorFile(502, "Bad Gateway", "The service gave an answer that is not valid HTTP, or ended the connection before it answered."),
		// HAProxy says 503 where no copy can be reached. Of a service that has copies this is a 502.
		"503.http": errorFile(502, "Bad Gateway", "The service could not be reached."),
		"504.http": errorFile(504, "Gateway Timeout", "The service did not answer in time."),
	}
}

// digest tells one configuration from another by all that does not change while HAProxy runs.
func digest(c Config) string {
	empty := &table{Backends: []*backend{{Number: 1}}}
	sum := sha256.New()
	fmt.Fprintln(sum, c.Program, c.version, c.Listen, c.Backends, c.Slots, c.Places, c.MaxConn, logFormat, ringSize)
	var b strings.Builder
	frontRules(&b, "")
	renderBackend(&b, c, empty, empty.Backends[0])
	sum.Write([]byte(b.String()))
	return hex.EncodeToString(sum.Sum(nil))[:16]
}
