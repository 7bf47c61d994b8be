package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
)

// BenchmarkShipper sends a log of 107 MB, in the pieces in which a pipe gives it, to a server
// that only counts.
func BenchmarkShipper(b *testing.B) {
	const size = 107 << 20
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			return
		}
		offset, err := strconv.ParseInt(r.FormValue("offset"), 10, 64)
		if err != nil {
			b.Error(err)
		}
		if err := json.NewEncoder(w).Encode(map[string]int64{"next": offset + n}); err != nil {
			b.Error(err)
		}
	}))
	defer server.Close()
	plant, err := Dial(server.URL, "secret", nil)
	if err != nil {
		b.Fatal(err)
	}
	piece := bytes.Repeat([]byte("0123456789abcdef\n"), (32<<10)/17)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		s := newShipper(b.Context(), plant, andon.TaskLogStream("shop.1.commit.test.1", 1), slog.New(slog.DiscardHandler))
		for left := size; left > 0; left -= len(piece) {
			if _, err := s.Write(piece); err != nil {
				b.Fatal(err)
			}
		}
		s.close(context.WithoutCancel(b.Context()))
	}
}
