package proxy

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net/netip"
)

// Settings are what a proxy process is told once, when it begins to serve. A proxy with other
// settings is replaced.
type Settings struct {
	// Trusted are the networks of proxies in front of this one: what their requests say in
	// X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, Forwarded and X-Real-IP is believed
	// and passed on. What anybody else says there is replaced.
	Trusted []netip.Prefix `json:"trusted,omitempty"`
	// ClientConnections is how many connections one client may have at a time: an IPv4 address, or
	// a /64 of IPv6. Trusted proxies may have any number. 0: 2,500.
	ClientConnections int `json:"client_connections,omitempty"`

	limits *limits // nil: the usual ones
}

// defaultClientConnections is a quarter of what all together may have.
const defaultClientConnections = maxClients / 4

// sum tells settings from others.
func (s Settings) sum() string {
	text, err := json.Marshal(s)
	if err != nil {
		return err.Error() // it cannot fail
	}
	return fmt.Sprintf("%08x", crc32.ChecksumIEEE(text))
}
