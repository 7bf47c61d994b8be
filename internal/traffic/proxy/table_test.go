package proxy

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

func testInstance(i int) andon.InstanceID { return andon.NewInstanceID("shop.production.1", i) }

// testRoute has a target of that weight for each, in groups of size.
func testRoute(size int, weights ...int64) *route {
	r := &route{}
	for i, w := range weights {
		id := andon.NewInstanceID(andon.GroupID(fmt.Sprintf("shop.production.%d", i/size)), i%size)
		r.targets = append(r.targets, choice{target: newTarget(id, "127.0.0.1:1", func() {}), weight: w})
	}
	r.share()
	return r
}

func TestTurns_AreSpreadByWeight(t *testing.T) {
	for want, weights := range map[string][]int64{
		"[0 1]": {1, 1}, "[0 0 1 0]": {3, 1}, "[0 1 0]": {200, 100}, "[0]": {5}, "[]": nil,
	} {
		if got := fmt.Sprint(turns(weights)); got != want {
			t.Errorf("weights %v: %s, want %s", weights, got, want)
		}
	}
	if got := len(turns([]int64{999_983, 1})); got != maxTurns {
		t.Errorf("%d turns", got)
	}
}

func TestPick_PrefersWhoHasLessInFlightForItsWeight(t *testing.T) {
	r := testRoute(3, 1, 1, 1)
	r.targets[0].load.Store(5)
	r.targets[1].load.Store(5)
	for range 6 {
		if got := r.pick(nil); got.target != r.targets[2].target {
			t.Errorf("picked %s", got.instance)
		}
	}
	uneven := testRoute(2, 9, 1)
	uneven.targets[0].load.Store(1) // one request at the heavy one is no reason to leave it
	count := map[andon.InstanceID]int{}
	for range 100 {
		count[uneven.pick(nil).instance]++
	}
	if count[uneven.targets[1].instance] != 10 {
		t.Errorf("shares %v, want 10 for the light one", count)
	}
}

func TestPick_DosesTheGroupsWhateverTheirLoad(t *testing.T) {
	r := testRoute(3, 95_000/3, 95_000/3, 95_000/3, 2_500, 2_500)
	r.targets[3].load.Store(1000)
	r.targets[4].load.Store(900)
	count := map[andon.InstanceID]int{}
	for range 10_000 {
		count[r.pick(nil).instance]++
	}
	light := count[r.targets[3].instance] + count[r.targets[4].instance]
	if light < 495 || light > 505 || count[r.targets[3].instance] != 0 {
		t.Errorf("shares %v: want 500 of 10,000 for the light group, and those for its less busy copy", count)
	}
}

func TestPick_PassesOverTheExcludedAndTheSuspect(t *testing.T) {
	for _, size := range []int{1, 2} {
		r := testRoute(size, 1, 1)
		r.targets[0].suspect.Store(int64(clock() + suspicion))
		for range 4 {
			if got := r.pick(nil); got.target != r.targets[1].target {
				t.Errorf("picked the suspect %s", got.instance)
			}
			if got := r.pick(r.targets[1].target); got.target != r.targets[0].target {
				t.Errorf("picked %v although only the suspect is left", got)
			}
		}
	}
	if got := testRoute(1).pick(nil); got != nil {
		t.Errorf("picked %v of none", got)
	}
}

func TestCanonicalHost(t *testing.T) {
	for in, want := range map[string]string{
		"shop.localhost": "shop.localhost", "Shop.Localhost.:80": "shop.localhost", "[::1]:80": "[::1]", "[::1]": "[::1]", "": "",
	} {
		if got := canonicalHost(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestTable_RefusesAHostOfTwoPlaces(t *testing.T) {
	one := &route{spec: traffic.Route{Place: andon.Place{Service: "a", Environment: "test"}, Hosts: []string{"h"}}}
	two := &route{spec: traffic.Route{Place: andon.Place{Service: "b", Environment: "test"}, Hosts: []string{"h"}}}
	first, err := new(table).with([]*route{one}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.with([]*route{two}, nil); andon.KindOf(err) != andon.KindInvalid {
		t.Errorf("error %v", err)
	}
	moved, err := first.with([]*route{two}, []andon.Place{one.spec.Place})
	if err != nil || moved.routeOf("h") != two || first.routeOf("h") != one {
		t.Errorf("moved to %v, %v; the first table has %v", moved.routeOf("h"), err, first.routeOf("h"))
	}
}

func TestHead_SaysWhoTheClientIsAndNothingOfOneHop(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/a%2Fb?c", strings.NewReader("abc"))
	r.RequestURI, r.Host, r.RemoteAddr = "/a%2Fb?c", "shop.localhost", "10.0.0.9:1234"
	for name, value := range map[string]string{
		"Connection": "close, X-Private", "X-Private": "1", "Keep-Alive": "5", "Transfer-Encoding": "chunked", "Content-Length": "99",
		"X-Forwarded-For": "6.6.6.6", "X_forwarded_proto": "https", "Forwarded": "for=6.6.6.6", "X-Real-Ip": "6.6.6.6",
		"Proxy-Authorization": "secret", "Te": "gzip", "Upgrade": "h2c", "Accept": "*/*",
	} {
		r.Header.Set(name, value)
		r.Header[name] = []string{value}
	}
	got := string(appendHead(nil, r, originOf(r), 3, ""))
	want := "POST /a%2Fb?c HTTP/1.1\r\nHost: shop.localhost\r\nAccept: */*\r\nContent-Length: 3\r\n" +
		"X-Forwarded-For: 10.0.0.9\r\nX-Forwarded-Host: shop.localhost\r\nX-Forwarded-Proto: http\r\n" +
		"Forwarded: for=10.0.0.9;host=shop.localhost;proto=http\r\n\r\n"
	if got != want {
		t.Errorf("head\n%s\nwant\n%s", got, want)
	}
}
