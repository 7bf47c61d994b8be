package main

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"time"
)

const (
	pace       = 40 * time.Millisecond // between two requests of one customer
	slowAnswer = "/slow?ms=5000"
	uploadSize = 50_000_000
	uploadTime = 3 * time.Second
	uploadRest = 10 * time.Second // between two uploads of one customer
)

// client returns one that keeps a connection: HTTP/2 for that kind, else HTTP/1.1.
func (v *visit) client() *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(v.kind != "http2")
	protocols.SetHTTP2(v.kind == "http2")
	return &http.Client{Timeout: patience, Transport: &http.Transport{
		DialContext: v.dial, TLSClientConfig: v.tls, Protocols: protocols, MaxIdleConnsPerHost: 4, DisableCompression: true,
	}}
}

// shopping asks for this and that, one after the other: some such that nobody may repeat it, and some
// with an answer that takes a moment.
func shopping(ctx context.Context, v *visit) {
	client, ticker := v.client(), time.NewTicker(pace)
	defer ticker.Stop()
	for n := 0; pause(ctx, ticker); n++ {
		switch {
		case n%10 == 0:
			v.ask(client, http.MethodGet, "/slow?ms=60", nil, "")
		case n%4 == 0:
			v.ask(client, http.MethodPost, "/order", strings.NewReader("one of these, please"), "")
		default:
			v.ask(client, http.MethodGet, "/", nil, "")
		}
	}
}

// waiting asks for answers of five seconds, by turns such that may be repeated and such that may not.
func waiting(ctx context.Context, v *visit) {
	client, ticker := v.client(), time.NewTicker(pace)
	defer ticker.Stop()
	for n := 0; pause(ctx, ticker); n++ {
		if n%2 == 0 {
			v.ask(client, http.MethodGet, slowAnswer, nil, "")
		} else {
			v.ask(client, http.MethodPost, slowAnswer, strings.NewReader("slowly, please"), "")
		}
	}
}

// uploading sends 50 MB, not faster than a good line, and wants to hear that all of it came.
func uploading(ctx context.Context, v *visit) {
	sum := crc32.NewIEEE()
	_, _ = io.Copy(sum, io.LimitReader(&pattern{}, uploadSize))
	want := fmt.Sprintln(uploadSize, sum.Sum32(), nil)
	client := v.client()
	for {
		slowly := &paced{from: io.LimitReader(&pattern{}, uploadSize), began: time.Now()}
		v.ask(client, http.MethodPost, "/kinds/upload", slowly, want)
		select {
		case <-ctx.Done():
			return
		case <-time.After(uploadRest):
		}
	}
}

// ask makes one request and counts it. The client is let down by anything but a whole answer with
// status 200 to what was sent once; want is what the answer must be, if anything.
func (v *visit) ask(client *http.Client, method, path string, body io.Reader, want string) {
	v.door.RLock()
	defer v.door.RUnlock()
	code, text, err := v.try(client, method, path, body)
	if err == nil && code != http.StatusOK {
		err = errors.New(text)
	}
	if err == nil && want != "" && text != want {
		err = fmt.Errorf("the answer is %q, not %q", text, want)
	}
	if err != nil {
		err = fmt.Errorf("%s %s: %d, %w", method, path, code, err)
	}
	v.note(code, err)
}

// try is never given up before patience ends, so that each request is answered or fails.
func (v *visit) try(client *http.Client, method, path string, body io.Reader) (code int, text string, err error) {
	if body != nil {
		body = struct{ io.Reader }{body} // one that can be rewound the client would send again by itself
	}
	req, err := http.NewRequest(method, v.url(path), body)
	if err != nil {
		return 0, "", err
	}
	connections := 0
	req = req.WithContext(httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connections++ },
	}))
	if v.kind == "upload" {
		req.ContentLength = uploadSize
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	switch {
	case err != nil:
		return 0, "", err
	case connections != 1:
		return resp.StatusCode, "", fmt.Errorf("the client sent it on %d connections", connections)
	case v.kind == "http2" && resp.ProtoMajor != 2:
		return resp.StatusCode, "", fmt.Errorf("the answer came by %s", resp.Proto)
	}
	return resp.StatusCode, string(answer), nil
}

// A pattern is bytes without end, of which none can be missing unnoticed.
type pattern struct{ at uint32 }

func (p *pattern) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(p.at * 2654435761 >> 24)
		p.at++
	}
	return len(b), nil
}

// paced reads no faster than the whole takes uploadTime.
type paced struct {
	from  io.Reader
	began time.Time
	n     int64
}

func (p *paced) Read(b []byte) (int, error) {
	if ahead := time.Duration(float64(p.n)/uploadSize*float64(uploadTime)) - time.Since(p.began); ahead > 0 {
		time.Sleep(ahead)
	}
	n, err := p.from.Read(b)
	p.n += int64(n)
	return n, err
}
