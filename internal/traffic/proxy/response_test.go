package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func readAnswer(text, method string) (answer, http.Header, string, error) {
	f := new(flight)
	header := http.Header{}
	r := bufio.NewReaderSize(strings.NewReader(text), 64)
	a, _, err := f.readHead(r, method, header)
	if err != nil {
		return a, header, "", err
	}
	body := a.body(r)
	if body == nil {
		return a, header, "", nil
	}
	b, err := io.ReadAll(body)
	return a, header, string(b), err
}

func TestAnswer_IsRead(t *testing.T) {
	tests := map[string]struct {
		text, method string
		status       int
		body, header string
		reusable     bool
	}{
		"length":            {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd", "GET", 200, "abc", "map[Content-Length:[3]]", true},
		"no phrase":         {"HTTP/1.1 204\r\n\r\n", "GET", 204, "", "map[]", true},
		"chunked":           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "GET", 200, "abc", "map[]", true},
		"until close":       {"HTTP/1.0 200 OK\r\nX-A: 1\r\nx-a: 2\r\n\r\nabc", "GET", 200, "abc", "map[X-A:[1 2]]", false},
		"head":              {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "HEAD", 200, "", "map[Content-Length:[3]]", true},
		"not modified":      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", "GET", 304, "", "map[Content-Length:[3]]", true},
		"hop by hop":        {"HTTP/1.1 200 OK\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nContent-Length: 0\r\n\r\n", "GET", 200, "", "map[Content-Length:[0]]", false},
		"same length twice": {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", "GET", 200, "a", "map[Content-Length:[1]]", true},
		"length and chunks": {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", "GET", 200, "ab", "map[]", false},
		"bare newlines":     {"HTTP/1.1 200 OK\nContent-Length: 1\n\na", "GET", 200, "a", "map[Content-Length:[1]]", true},
		"long line":         {"HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("a", 1000) + "\r\nContent-Length: 0\r\n\r\n", "GET", 200, "", "map[Content-Length:[0] X-A:[" + strings.Repeat("a", 1000) + "]]", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a, header, body, err := readAnswer(test.text, test.method)
			if err != nil || a.status != test.status || body != test.body || a.reusable != test.reusable || fmt.Sprint(header) != test.header {
				t.Errorf("%+v %q %v %v", a, body, header, err)
			}
		})
	}
}

func TestAnswer_IsRefusedWhenItCouldBeReadInTwoWays(t *testing.T) {
	for _, fields := range []string{
		"Content-Length: 1\r\nContent-Length: 2", "Content-Length: +1", "Content-Length: 1, 1", "Content-Length: ",
		"Content-Length: 9999999999999999999", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
		"X A: 1", "X-A : 1", " folded", ": 1", "no colon", "X-A: \x00", "X-A: a\rb",
	} {
		if a, _, _, err := readAnswer("HTTP/1.1 200 OK\r\n"+fields+"\r\n\r\n", "GET"); !errors.Is(err, errMalformed) {
			t.Errorf("%q: %+v %v", fields, a, err)
		}
	}
	if a, _, _, err := readAnswer("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "GET"); !errors.Is(err, errMalformed) {
		t.Errorf("chunks in HTTP/1.0: %+v %v", a, err)
	}
	for _, status := range []string{"HTTP/2 200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 099 OK", "ICY 200 OK", "HTTP/1.1  200", ""} {
		if a, _, _, err := readAnswer(status+"\r\n\r\n", "GET"); !errors.Is(err, errMalformed) {
			t.Errorf("%q: %+v %v", status, a, err)
		}
	}
	if _, _, _, err := readAnswer("HTTP/1.1 200 OK\r\nX-A: "+strings.Repeat("a", maxHead)+"\r\n\r\n", "GET"); !errors.Is(err, errMalformed) {
		t.Errorf("an endless head: %v", err)
	}
}

// FuzzAnswer compares with net/http: what this package accepts, net/http reads the same way.
func FuzzAnswer(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nA: b\r\n\r\nabc")
	f.Add("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
	f.Add("HTTP/1.0 301 Moved\r\nConnection: close\r\n\r\nabc")
	f.Fuzz(func(t *testing.T, text string) {
		a, _, body, err := readAnswer(text, "GET")
		if err != nil || a.status < 200 {
			return
		}
		theirs, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text)), &http.Request{Method: http.MethodGet})
		if err != nil {
			return // it is stricter: no second way of reading
		}
		theirBody, err := io.ReadAll(theirs.Body)
		if err == nil && (theirs.StatusCode != a.status || string(theirBody) != body) {
			t.Errorf("%d %q, net/http reads %d %q", a.status, body, theirs.StatusCode, theirBody)
		}
	})
}
