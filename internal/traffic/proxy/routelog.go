package proxy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

// A routeLog is DIR/routes.log: what the proxy was told, so that a proxy that takes the place
// of a dead one serves at once. Each line is a change with a checksum before it; a torn last
// line is ignored. It is not synced to disk: it must outlive the process, not the machine,
// whose copies would be gone as well, and the agent applies its routes again in any case.
type routeLog struct {
	path    string
	file    *os.File
	changes int  // since the file was written anew
	broken  bool // the last append failed: write the file anew next time
}

// A change is one line.
type change struct {
	Revision int64         `json:"revision"`
	Full     bool          `json:"full,omitempty"` // replaces everything before it
	Set      []savedRoute  `json:"set,omitempty"`
	Remove   []andon.Place `json:"remove,omitempty"`
}

// A savedRoute is a route with the port of its own listener.
type savedRoute struct {
	traffic.Route
	Port int `json:"port,omitempty"`
}

// rewriteAfter bounds the number of changes in the file.
const rewriteAfter = 1000

// loadRoutes returns what the log says, and its last revision.
func loadRoutes(dir string) (map[andon.Place]savedRoute, int64, error) {
	routes := map[andon.Place]savedRoute{}
	f, err := os.Open(filepath.Join(dir, "routes.log"))
	if errors.Is(err, fs.ErrNotExist) {
		return routes, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	var revision int64
	for r := bufio.NewReader(f); ; {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return routes, revision, nil
		}
		if err != nil {
			return nil, 0, err
		}
		c, err := parseChange(line)
		if err != nil {
			return routes, revision, nil // what follows cannot be trusted; the agent applies its routes again
		}
		if c.Full {
			clear(routes)
		}
		for _, p := range c.Remove {
			delete(routes, p)
		}
		for _, s := range c.Set {
			routes[s.Place] = s
		}
		revision = c.Revision
	}
}

func parseChange(line []byte) (c change, err error) {
	sum, text, ok := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if !ok || err != nil || crc32.ChecksumIEEE(text) != uint32(want) {
		return c, errCorrupt
	}
	return c, json.Unmarshal(text, &c)
}

func (c change) line() ([]byte, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.ChecksumIEEE(text), text), nil
}

// append records a change. all returns everything, for when the file is written anew.
func (l *routeLog) append(c change, all func() change) error {
	if l.file == nil || l.broken || c.Full || l.changes >= rewriteAfter {
		err := l.rewrite(all())
		l.broken = err != nil
		return err
	}
	line, err := c.line()
	if err == nil {
		_, err = l.file.Write(line)
	}
	l.broken = err != nil
	l.changes++
	return err
}

// rewrite puts a new file with one line in the place of the old one.
func (l *routeLog) rewrite(c change) error {
	c.Full = true
	line, err := c.line()
	if err != nil {
		return err
	}
	temporary := l.path + ".new"
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(line); err == nil {
		err = os.Rename(temporary, l.path)
	}
	if err != nil {
		f.Close()
		return err
	}
	l.close()
	l.file, l.changes = f, 0
	return nil
}

func (l *routeLog) close() {
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}
