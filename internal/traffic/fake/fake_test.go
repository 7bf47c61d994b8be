package fake_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/traffic/fake"
	"github.com/andon-cd/andon/internal/traffic/traffictest"
)

func TestFakeConforms(t *testing.T) {
	traffictest.Run(t, func(t *testing.T) traffictest.Subject {
		f := fake.New()
		return traffictest.Subject{Traffic: f, Do: func(r *http.Request) (*http.Response, error) { return send(f, r) }}
	})
}

// send takes the request where the fake says.
func send(f *fake.Traffic, r *http.Request) (*http.Response, error) {
	flight, status := f.Begin(r.Host)
	if flight == nil {
		return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("Nobody takes it."))}, nil
	}
	r.URL.Host = flight.Target().Address
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		flight.End()
		return nil, err
	}
	answer.Body = &body{ReadCloser: answer.Body, flight: flight}
	go func() {
		<-flight.CutOff() // a request that is not cut off keeps this goroutine until the tests end
		answer.Body.Close()
	}()
	return answer, nil
}

type body struct {
	io.ReadCloser
	flight *fake.Request
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.flight.End()
	}
	return n, err
}
