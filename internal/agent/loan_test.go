package agent

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestLoan_BytesMayBeOverwrittenAfterACall is for the race detector: the server answers before it
// has read the body, and the caller writes its next piece into the same buffer.
func TestLoan_BytesMayBeOverwrittenAfterACall(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one := make([]byte, 1)
		if _, err := io.ReadFull(r.Body, one); err != nil {
			t.Error(err)
		}
		http.Error(w, "no", http.StatusInsufficientStorage)
	}))
	defer server.Close()
	c, err := Dial(server.URL, "token", nil)
	if err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 4<<20)
	for i := range 20 {
		copy(buffer, bytes.Repeat([]byte{byte(i)}, len(buffer)))
		if _, err := c.AppendLog(t.Context(), "copies/a", 0, buffer); err == nil {
			t.Fatal("the server took it")
		}
	}
}
