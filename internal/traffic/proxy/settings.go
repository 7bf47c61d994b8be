package proxy

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net/netip"
	"time"
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
	// ClientPause is how long a client may send nothing of a body, or take nothing of an answer, before
	// its connection ends. 0: two minutes.
	ClientPause time.Duration `json:"client_pause_ns,omitempty"`
	// CertFile and KeyFile are PEM files with the certificate of the TLS listeners and its key. They
	// are read again when they change. Empty: there are only the certificates of ACME.
	CertFile string `json:"cert_file,omitempty"`
	KeyFile  string `json:"key_file,omitempty"`
	ACME     *ACME  `json:"acme,omitempty"` // nil: no authority is asked
	// Redirect sends whoever asks in the clear for a host that has a route to the first TLS listener.
	Redirect bool `json:"redirect,omitempty"`
	// AccessLog writes a line for each request to access.log in the proxy's directory.
	AccessLog bool `json:"access_log,omitempty"`
	// Secure is how many of the public listeners, the last ones, speak TLS. Open sets it.
	Secure int `json:"secure,omitempty"`

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
