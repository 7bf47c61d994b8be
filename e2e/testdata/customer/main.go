// Command customer is one client process of the scenarios: it uses services through the proxies of
// a plant in one way, all the time, keeps its connections, and counts what it gets as the proxies
// count it: a request when it has an answer with an end, a websocket or a stream when it has begun.
//
// On standard output it says, a line of JSON each, what went wrong, at once, and what it has counted
// whenever standard input says "count": then nothing that counts is in flight, until "go" or the end
// of standard input, which ends it.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// patience bounds one answer, however slow the machine is.
const patience = 60 * time.Second

// A customer is the process.
type customer struct {
	door sync.RWMutex // held for reading by what counts while it is in flight

	mu     sync.Mutex
	counts map[string]*count // by host name
	out    *json.Encoder
}

// A count is what one service was asked.
type count struct {
	Requests int64         `json:"requests"`
	Codes    map[int]int64 `json:"codes"` // by status; 0: no answer
	Upgraded int64         `json:"upgraded"`
	Moved    int64         `json:"moved"`    // websockets and streams that were ended in good order, and begun again
	Messages int64         `json:"messages"` // over them
}

// A visit is one customer at one proxy for one service.
type visit struct {
	*customer
	kind    string
	host    string
	address string
	port    string
	tls     *tls.Config // nil: in the clear
}

// ways are the kinds of traffic.
var ways = map[string]func(context.Context, *visit){
	"http1": shopping, "http2": shopping, "slow": waiting, "upload": uploading, "websocket": talking, "events": listening,
}

func main() {
	kind := flag.String("kind", "http1", "http1, http2, slow, upload, websocket or events")
	proxies := flag.String("at", "", "addresses of proxies")
	hosts := flag.String("hosts", "", "host names of services")
	authority := flag.String("ca", "", "by TLS, with certificates of this authority")
	flag.Parse()
	way := ways[*kind]
	if way == nil || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	secret, err := trust(*authority)
	if err != nil {
		fmt.Fprintln(os.Stderr, "customer:", err)
		os.Exit(2)
	}
	c := &customer{counts: map[string]*count{}, out: json.NewEncoder(os.Stdout)}
	ctx, leave := context.WithCancel(context.Background())
	var crowd sync.WaitGroup
	for host := range strings.SplitSeq(*hosts, ",") {
		c.counts[host] = &count{Codes: map[int]int64{}}
		for at := range strings.SplitSeq(*proxies, ",") {
			_, port, _ := net.SplitHostPort(at)
			v := &visit{customer: c, kind: *kind, host: host, address: at, port: port, tls: secret}
			crowd.Go(func() { way(ctx, v) })
		}
	}
	c.obey()
	leave()
	crowd.Wait()
}

func trust(authority string) (*tls.Config, error) {
	if authority == "" {
		return nil, nil //nolint:nilnil // in the clear
	}
	text, err := os.ReadFile(authority)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificate", authority)
	}
	return &tls.Config{RootCAs: pool}, nil
}

// obey does what standard input says, until it ends.
func (c *customer) obey() {
	closed := false
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		switch order := orders.Text(); {
		case order == "count" && !closed:
			c.door.Lock()
			closed = true
			c.tell(map[string]any{"counts": c.counts})
		case order == "go" && closed:
			c.door.Unlock()
			closed = false
		}
	}
	if closed {
		c.door.Unlock()
	}
}

// tell says one line.
func (c *customer) tell(what any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.out.Encode(what)
}

// note counts the answer to one request; with an error, a client was let down.
func (v *visit) note(code int, err error) {
	v.mu.Lock()
	counted := v.counts[v.host]
	counted.Requests++
	counted.Codes[code]++
	if code == http.StatusSwitchingProtocols {
		counted.Upgraded++
	}
	v.mu.Unlock()
	if err != nil {
		v.complain(err)
	}
}

// add counts messages, and conversations that go on elsewhere.
func (v *visit) add(messages, moved int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.counts[v.host].Messages += messages
	v.counts[v.host].Moved += moved
}

// complain says what a client must never see.
func (v *visit) complain(err error) {
	v.tell(map[string]string{"failure": fmt.Sprintf("%s %s of %s at %s: %v", time.Now().Format("15:04:05.000"), v.kind, v.host, v.address, err)})
}

// url returns an address of the service, which resolves to the proxy.
func (v *visit) url(path string) string {
	scheme := "http"
	if v.tls != nil {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(v.host, v.port) + path
}

// dial connects to the proxy, whatever the name.
func (v *visit) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, v.address)
}

// pause returns false when ctx ends before the next tick.
func pause(ctx context.Context, ticker *time.Ticker) bool {
	select {
	case <-ticker.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
