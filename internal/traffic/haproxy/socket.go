package haproxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

const (
	socketName  = "admin.sock"
	mapName     = "hosts.map"
	callTimeout = 5 * time.Second
	maxBatch    = 8 << 10  // HAProxy reads a command line into one buffer of 16 KiB
	maxAnswer   = 64 << 20 // of one batch
)

// A socket is HAProxy's runtime interface, its admin socket. What goes into commands has been
// validated before: nothing has a space, a semicolon or a line's end.
type socket struct{ dir string }

func (s socket) dial(ctx context.Context) (*net.UnixConn, error) {
	var conn net.Conn
	err := atShortPath(filepath.Join(s.dir, socketName), func(short string) (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, "unix", short)
		return err
	})
	if err != nil {
		return nil, andon.Errorf(andon.KindUnavailable, "HAProxy's admin socket cannot be reached.").Because(err)
	}
	return conn.(*net.UnixConn), nil
}

// do runs the commands, one after the other, and returns all that they answered.
func (s socket) do(ctx context.Context, commands ...string) (string, error) {
	var all strings.Builder
	for len(commands) > 0 {
		n, size := 0, 0
		for n < len(commands) && (n == 0 || size+len(commands[n]) < maxBatch) {
			size += len(commands[n]) + 1
			n++
		}
		text, err := s.send(ctx, strings.Join(commands[:n], ";")+"\n")
		if err != nil {
			return "", err
		}
		all.WriteString(text)
		commands = commands[n:]
	}
	return all.String(), nil
}

func (s socket) send(ctx context.Context, text string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	conn, err := s.dial(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // ends what waits
	defer stop()
	_, err = io.WriteString(conn, text)
	var answer []byte
	if err == nil {
		answer, err = io.ReadAll(io.LimitReader(conn, maxAnswer))
	}
	switch {
	case ctx.Err() != nil:
		return "", andon.Errorf(andon.KindTimeout, "HAProxy did not answer in time.").Because(ctx.Err())
	case err != nil:
		return "", andon.Errorf(andon.KindUnavailable, "HAProxy ended before it answered.").Because(err)
	}
	return string(answer), nil
}

// An info is who HAProxy says it is.
type info struct {
	pid    int
	run    string // the run that it was started for
	digest string // of the configuration that it was started with
}

func (s socket) info(ctx context.Context) (i info, err error) {
	text, err := s.do(ctx, "show info")
	if err != nil {
		return i, err
	}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch name {
		case "Pid":
			i.pid, err = strconv.Atoi(value)
		case "node":
			i.run = value
		case "description":
			i.digest = value
		}
	}
	if i.pid <= 1 {
		return i, andon.Errorf(andon.KindUnavailable, "HAProxy did not say who it is.").Because(err)
	}
	return i, nil
}

var versionCreated = regexp.MustCompile(`New version created: (\d+)`)

// commit puts the entries in the place of all that the map had, in one step.
func (s socket) commit(ctx context.Context, entries []entry) error {
	text, err := s.do(ctx, "prepare map "+mapName)
	if err != nil {
		return err
	}
	found := versionCreated.FindStringSubmatch(text)
	if found == nil {
		return fmt.Errorf("prepare the map: HAProxy answered %.100q", text)
	}
	version := "@" + found[1] + " " + mapName
	if err := s.fill(ctx, version, entries); err != nil {
		_, _ = s.do(ctx, "clear map "+version) // or it stays, and harms nobody
		return err
	}
	// To show a file, HAProxy makes all of its threads meet. A request that had looked into the
	// map before the commit has its backend then, and counts there.
	text, err = s.do(ctx, "commit map "+version, "show fd 0")
	if err != nil {
		return err
	}
	if first, _, _ := strings.Cut(text, "\n"); strings.TrimSpace(first) != "" {
		return fmt.Errorf("commit the map: HAProxy answered %.100q", text)
	}
	return nil
}

func (s socket) fill(ctx context.Context, version string, entries []entry) error {
	for len(entries) > 0 {
		var batch strings.Builder
		batch.WriteString("add map " + version + " <<\n")
		for len(entries) > 0 && batch.Len() < maxBatch {
			batch.WriteString(entries[0].key + " " + entries[0].value + "\n")
			entries = entries[1:]
		}
		batch.WriteString("\n")
		text, err := s.send(ctx, batch.String())
		if err != nil {
			return err
		}
		if strings.TrimSpace(text) != "" {
			return fmt.Errorf("fill the map: HAProxy answered %.100q", text)
		}
	}
	return nil
}

// entries returns what the map has now.
func (s socket) entries(ctx context.Context) (map[string]string, error) {
	text, err := s.do(ctx, "show map "+mapName)
	if err != nil {
		return nil, err
	}
	have := map[string]string{}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 3 {
			have[f[1]] = f[2]
		}
	}
	return have, nil
}
