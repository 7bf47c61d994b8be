package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"
)

// lingering is how long one half of an upgraded connection may outlive the other.
const lingering = 30 * time.Second

// upgrade tells the client of the new protocol and then moves bytes both ways until both ends
// are done. The request counts as served when the answer is written.
func (f *flight) upgrade(w http.ResponseWriter, c *upstreamConn, a answer) (broken bool) {
	defer c.Close()
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		f.count(failed)
		return true
	}
	defer conn.Close()
	f.upgraded(conn)
	conn.SetDeadline(time.Time{})
	b := append(f.buf[:0], "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"...)
	b = appendField(b, "Upgrade", a.upgrade)
	for name, values := range w.Header() {
		for _, v := range values {
			if name != "Connection" {
				b = appendField(b, name, v)
			}
		}
	}
	f.buf = append(b, "\r\n"...)
	if _, err := conn.Write(f.buf); err != nil {
		f.count(gone)
		return false
	}
	f.count(served)
	f.ledger.slot.upgraded.Add(1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		pipe(c.Conn, buffered.Reader, conn)
	}()
	pipe(conn, c.reader, c.Conn)
	<-done
	return false
}

// pipe moves what was read ahead and then the rest from one connection to the other, and ends
// the other's half. If that cannot be, the whole ends.
func pipe(to net.Conn, ahead *bufio.Reader, from net.Conn) {
	_, err := io.CopyN(to, ahead, int64(ahead.Buffered()))
	if err == nil {
		_, err = io.Copy(to, from)
	}
	half, ok := to.(interface{ CloseWrite() error })
	if err != nil || !ok || half.CloseWrite() != nil {
		to.Close()
		from.Close()
		return
	}
	_ = to.SetReadDeadline(time.Now().Add(lingering)) // it fails when the other direction has closed it
}
