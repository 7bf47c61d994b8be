package haproxy

import (
	"bufio"
	"context"
	"io"
	"strings"
)

// tail counts the lines of HAProxy's ring until the connection ends. An earlier connection, or
// an earlier agent, may have counted some of them: all until the last one that it knew.
func (d *Driver) tail(ctx context.Context) error {
	d.mu.Lock()
	last := d.table.Last
	d.mu.Unlock()
	known := map[int64]bool{}
	if last != 0 {
		text, err := d.socket.do(ctx, "show events ledger")
		if err != nil {
			return err
		}
		known = until(text, last)
	}
	conn, err := d.socket.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if _, err := io.WriteString(conn, "show events ledger -w\n"); err != nil {
		return err
	}
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		l, ok := parseLine(lines.Text())
		switch {
		case !ok:
		case known[l.id]:
			delete(known, l.id)
		default:
			d.take(l)
		}
	}
	return lines.Err()
}

// until returns the requests in the text up to the last one; none if that one is not there.
func until(text string, last int64) map[int64]bool {
	seen := map[int64]bool{}
	for one := range strings.Lines(text) {
		if l, ok := parseLine(one); ok {
			seen[l.id] = true
			if l.id == last {
				return seen
			}
		}
	}
	return nil
}

// take counts one line.
func (d *Driver) take(l line) {
	d.mu.Lock()
	b := d.table.backend(l.backend)
	drains := b != nil && b.pending()
	d.table.count(l)
	d.mu.Unlock()
	signal(d.moved)
	if drains {
		signal(d.look)
	}
}
