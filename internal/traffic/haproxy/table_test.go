package haproxy

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

var shop = andon.Place{Service: "shop", Environment: "production"}

func target(n string, weight int) traffic.Target {
	return traffic.Target{Instance: andon.InstanceID("shop.production." + n + ".0"), Address: "127.0.0.1:80" + n, Weight: weight}
}

func route(change func(*traffic.Route)) traffic.Route {
	r := traffic.Route{Place: shop, Hosts: []string{"shop.localhost"}, Targets: []traffic.Target{target("1", 1)}, Ledger: "shop.production.1"}
	change(&r)
	return r
}

// Whatever passes goes into HAProxy's configuration and commands as it is.
func TestValidate_LetsNothingThroughThatHAProxyWouldReadOtherwise(t *testing.T) {
	for name, change := range map[string]func(*traffic.Route){
		"a command in a host name":     func(r *traffic.Route) { r.Hosts = []string{"shop.localhost;shutdown"} },
		"a line's end in a host name":  func(r *traffic.Route) { r.Hosts = []string{"shop\nevil b1"} },
		"a space in a host name":       func(r *traffic.Route) { r.Hosts = []string{"shop b1"} },
		"a key of the driver's own":    func(r *traffic.Route) { r.Hosts = []string{":told"} },
		"a listener's key":             func(r *traffic.Route) { r.Hosts = []string{"own:1"} },
		"a port in a host name":        func(r *traffic.Route) { r.Hosts = []string{"shop.localhost:80"} },
		"capitals":                     func(r *traffic.Route) { r.Hosts = []string{"Shop.localhost"} },
		"a final dot":                  func(r *traffic.Route) { r.Hosts = []string{"shop.localhost."} },
		"no host name":                 func(r *traffic.Route) { r.Hosts = []string{""} },
		"no address in brackets":       func(r *traffic.Route) { r.Hosts = []string{"[x]"} },
		"the same host name twice":     func(r *traffic.Route) { r.Hosts = []string{"a", "a"} },
		"a name for an address":        func(r *traffic.Route) { r.Targets[0].Address = "localhost:80" },
		"a command in an address":      func(r *traffic.Route) { r.Targets[0].Address = "127.0.0.1:80;x" },
		"a zone in an address":         func(r *traffic.Route) { r.Targets[0].Address = "[fe80::1%x;y]:80" },
		"port 0":                       func(r *traffic.Route) { r.Draining = []traffic.Target{{Instance: "a", Address: "127.0.0.1:0"}} },
		"a target that drains as well": func(r *traffic.Route) { r.Draining = r.Targets },
		"weight 0":                     func(r *traffic.Route) { r.Targets[0].Weight = 0 },
		"too many targets": func(r *traffic.Route) {
			r.Targets = append(r.Targets, target("2", 1), target("3", 1))
		},
		"no deployment":    func(r *traffic.Route) { r.Ledger = "" },
		"another cookie":   func(r *traffic.Route) { r.Sticky = "c" },
		"a negative limit": func(r *traffic.Route) { r.MaxBody = -1 },
	} {
		if err := validate([]traffic.Route{route(change)}, 2); andon.KindOf(err) != andon.KindInvalid {
			t.Errorf("%s: %v, want an error of kind invalid", name, err)
		}
	}
	good := route(func(r *traffic.Route) {
		r.Hosts = []string{"shop.localhost", "xn--80ak6aa92e.example", "under_score", "[::1]", "10.0.0.1"}
		r.Targets = append(r.Targets, traffic.Target{Instance: "six", Address: "[::1]:8080", Weight: 1_000_000})
	})
	if err := validate([]traffic.Route{good}, 2); err != nil {
		t.Error(err)
	}
}

func TestWeights_AreScaledDownToWhatHAProxyTakes(t *testing.T) {
	slots := []slot{{Target: target("1", 9000)}, {Target: target("2", 1000)}, {Target: target("3", 1)}}
	if got := weights(slots); !slices.Equal(got, []int{256, 28, 1}) {
		t.Errorf("%v", got)
	}
	if got := weights(slots[2:]); !slices.Equal(got, []int{1}) {
		t.Errorf("%v", got)
	}
}

func TestParseLine_TellsHowARequestEnded(t *testing.T) {
	for text, want := range map[string]outcome{
		"4 b3 s1 200 -- 0 - 5":           served,
		"4 b3 s1 200 CD 0 - 5":           gone,
		"4 b3 s1 408 cD 0 - 5":           gone,
		"4 b3 s1 503 SC 2 - -1":          failed,
		"4 b3 s1 504 sH 0 - -1":          failed,
		"4 b3 s1 200 SD 0 - 1":           failed,
		"4 b3 s1 200 KD 0 - 1":           failed,
		"4 b3 <NOSRV> 503 LR 0 - -1":     failed,
		"4 b3 s1 101 CD 0 1 2":           counted,
		"4 b3 s1 200 -- +1 2 0":          counted,
		"4 public <NOSRV> 404 LR 0 - -1": failed,
	} {
		l, ok := parseLine(text)
		if !ok || l.outcome() != want || l.id != 4 || l.moved != strings.Contains(text, "+") {
			t.Errorf("%q: %+v %v, outcome %d, want %d", text, l, ok, l.outcome(), want)
		}
	}
	for _, text := range []string{"", "Server b1/s1 is UP/READY (leaving forced maintenance).", "a b c d e f g h"} {
		if l, ok := parseLine(text); ok {
			t.Errorf("%q is taken for %+v", text, l)
		}
	}
}

func TestUntil_FindsWhatAnEarlierAgentHasCounted(t *testing.T) {
	ring := "7 b1 s1 200 -- 0 - 1\nServer b1/s1 is UP.\n5 b1 s1 200 -- 0 - 1\n9 b1 s1 200 -- 0 - 1\n"
	if got := until(ring, 5); len(got) != 2 || !got[7] || !got[5] {
		t.Errorf("%v, want 7 and 5", got)
	}
	if got := until(ring, 4); len(got) != 0 {
		t.Errorf("%v although the ring has turned over", got)
	}
}

// A route that goes back to what it did before, as when a copy is unwell for a moment, needs no
// new backend.
func TestPlace_TakesABackendThatDidTheSameBefore(t *testing.T) {
	table := newTable(Config{Backends: 2, Places: 1})
	both := route(func(r *traffic.Route) { r.Targets = append(r.Targets, target("2", 1)) })
	one := route(func(*traffic.Route) {})
	var used []int
	for range 3 {
		for _, r := range []traffic.Route{both, one} {
			next, fresh, err := table.place([]traffic.Route{r})
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range fresh {
				b.take(r)
				b.InFlight, b.Slots[0].InFlight = 1, 1 // a websocket that stays
			}
			table.open(r.Place, r.Ledger)
			table.follow(next, time.Unix(1, 0))
			used = append(used, next[0].Backend)
		}
	}
	if !slices.Equal(used, []int{1, 2, 1, 2, 1, 2}) {
		t.Errorf("backends %v", used)
	}
	if got := table.ledger(shop, "shop.production.1"); got.AtSwitch != 0 {
		t.Errorf("%+v, though the copy with the websocket was a target all the time", got)
	}
	other := route(func(r *traffic.Route) { r.Ledger = "shop.production.2" })
	if _, _, err := table.place([]traffic.Route{other}); andon.KindOf(err) != andon.KindUnavailable {
		t.Errorf("%v, want unavailable: both backends have something in flight", err)
	}
}

func TestWriteOff_CountsLostLinesAsUnknown(t *testing.T) {
	d := &Driver{config: Config{Log: slog.New(slog.DiscardHandler)}, table: newTable(Config{Backends: 1, Places: 1})}
	b := d.table.Backends[0]
	b.take(route(func(*traffic.Route) {}))
	d.table.open(shop, "shop.production.1")
	b.Began, b.InFlight, b.Counted, b.Streams = 10, 2, 4, 1
	began := time.Unix(1, 0)
	d.writeOff(d.behind(), began)
	b.Counted++ // a line was only late
	d.writeOff(d.behind(), began.Add(linesLost))
	d.writeOff(d.behind(), began.Add(2*linesLost-1))
	if got := d.table.ledger(shop, "shop.production.1"); got.Unknown != 0 || len(d.behind()) != 1 {
		t.Errorf("%+v, behind %v, though the lines may only be late", got, d.behind())
	}
	d.writeOff(d.behind(), began.Add(2*linesLost))
	if got := d.table.ledger(shop, "shop.production.1"); got.Unknown != 3 || len(d.behind()) != 0 {
		t.Errorf("%+v, behind %v: want 8 ended less 5 counted as unknown", got, d.behind())
	}
}
