package proxy

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

// A message is what driver and proxy say to each other, on a Unix socket: four bytes of length
// (big-endian), then JSON. Open files travel beside the length.
//
// A running proxy must be understood by the next build, which takes its sockets over: hello,
// listeners and leave never change.
type message struct {
	ID    int64           `json:"id,omitempty"`    // of a call and its answer
	Call  string          `json:"call,omitempty"`  // empty in an answer and an event
	Event string          `json:"event,omitempty"` // nobody answers it
	Error *andon.Error    `json:"error,omitempty"`
	Body  json.RawMessage `json:"body,omitempty"`
	fds   []int           // duplicates are sent; what is received belongs to the receiver
	Fds   int             `json:"fds,omitempty"`
}

// The calls.
const (
	callHello     = "hello"     // nothing → helloAnswer, with the public listeners
	callListeners = "listeners" // listenersCall → listenersAnswer, with the places' own listeners
	callServe     = "serve"     // serveCall, with the public listeners → revision
	callApply     = "apply"     // applyCall → revision
	callState     = "state"     // nothing → traffic.State
	callAlive     = "alive"     // nothing → nothing, once what guards the routes was free
	callLeave     = "leave"     // leaveCall → nothing
)

const eventDrained = "drained" // a draining target's last request has ended

type helloAnswer struct {
	PID      int    `json:"pid"`
	Build    string `json:"build"`
	Revision int64  `json:"revision"`
	Serving  bool   `json:"serving"`
}

type listenersCall struct {
	From int `json:"from"`
}

type listenersAnswer struct {
	Places []andon.Place `json:"places"` // in the order of the files; none: these were all
}

type serveCall struct {
	Build    string   `json:"build"`
	Settings Settings `json:"settings"`
}

// An applyCall changes the routes from the base revision. With Full set it replaces them all.
type applyCall struct {
	Base   int64           `json:"base"`
	Full   bool            `json:"full,omitempty"`
	Set    []traffic.Route `json:"set,omitempty"`
	Remove []andon.Place   `json:"remove,omitempty"`
}

type revisionAnswer struct {
	Revision int64 `json:"revision"`
}

// A leaveCall makes the proxy accept nothing more and exit when its clients are gone: idle
// ones are sent away after the first time, all others after the second.
type leaveCall struct {
	IdleMS  int64 `json:"idle_ms"`
	BoundMS int64 `json:"bound_ms"`
}

const (
	maxMessage  = 64 << 20
	maxFds      = 64 // files in one message; the kernel takes 253
	sendTimeout = 5 * time.Second
)

func writeMessage(c *net.UnixConn, m message) error {
	m.Fds = len(m.fds)
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	var length [4]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(body)))
	var rights []byte
	if len(m.fds) > 0 {
		rights = unix.UnixRights(m.fds...)
	}
	c.SetWriteDeadline(time.Now().Add(sendTimeout))
	if n, _, err := c.WriteMsgUnix(length[:], rights, nil); err != nil || n != len(length) {
		return errors.Join(err, fmt.Errorf("%d of %d bytes written", n, len(length)))
	}
	_, err = c.Write(body)
	return err
}

func readMessage(c *net.UnixConn) (m message, err error) {
	var length [4]byte
	rights := make([]byte, unix.CmsgSpace(maxFds*4))
	n, rn, _, _, err := c.ReadMsgUnix(length[:], rights)
	if err != nil {
		return m, err
	}
	fds, err := parseRights(rights[:rn])
	defer func() {
		if err != nil {
			closeAll(fds)
		}
	}()
	if err != nil {
		return m, err
	}
	if n == 0 {
		return m, io.EOF
	}
	if _, err = io.ReadFull(c, length[n:]); err != nil {
		return m, err
	}
	size := binary.BigEndian.Uint32(length[:])
	if size > maxMessage {
		return m, fmt.Errorf("a message of %d bytes", size)
	}
	body := make([]byte, size)
	if _, err = io.ReadFull(c, body); err != nil {
		return m, err
	}
	if err = json.Unmarshal(body, &m); err != nil {
		return m, err
	}
	if m.Fds != len(fds) {
		return m, fmt.Errorf("%d files announced, %d received", m.Fds, len(fds))
	}
	m.fds = fds
	return m, nil
}

func parseRights(b []byte) ([]int, error) {
	if len(b) == 0 {
		return nil, nil
	}
	controls, err := unix.ParseSocketControlMessage(b)
	if err != nil {
		return nil, err
	}
	var all []int
	for i := range controls {
		fds, err := unix.ParseUnixRights(&controls[i])
		if err != nil {
			continue // another kind of message
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
		}
		all = append(all, fds...)
	}
	return all, nil
}

func controlPath(dir string) string { return filepath.Join(dir, "control.sock") }

// atShortPath calls f with a path of the socket that the kernel accepts: it takes about a
// hundred bytes, and data directories can be deep. For a longer one f gets a path through a
// symbolic link, which exists only during the call, in a directory that is this user's alone.
func atShortPath(path string, f func(short string) error) error {
	const longest = 100
	if len(path) <= longest {
		return f(path)
	}
	temp, err := os.MkdirTemp("", "andon-")
	if err == nil && len(temp)+len(filepath.Base(path)) > longest-10 {
		_ = os.Remove(temp) // empty, and made a moment ago
		temp, err = os.MkdirTemp("/tmp", "andon-")
	}
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temp) }()
	link := filepath.Join(temp, "d")
	if err := os.Symlink(filepath.Dir(path), link); err != nil {
		return err
	}
	return f(filepath.Join(link, filepath.Base(path)))
}

func dialControl(dir string) (conn *net.UnixConn, err error) {
	err = atShortPath(controlPath(dir), func(short string) error {
		conn, err = net.DialUnix("unix", nil, &net.UnixAddr{Net: "unix", Name: short})
		return err
	})
	return conn, err
}

// listenControl binds the control socket under a name of its own; rename makes it the one that
// is dialled, in place of an older process's.
func listenControl(dir string) (l *net.UnixListener, rename func() error, err error) {
	temporary := fmt.Sprintf("%s.%d", controlPath(dir), os.Getpid())
	_ = os.Remove(temporary) // of a process of that number that died; listening fails when it stays
	err = atShortPath(temporary, func(short string) error {
		l, err = net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: short})
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	l.SetUnlinkOnClose(false)
	if err := os.Chmod(temporary, 0o600); err != nil {
		l.Close()
		return nil, nil, err
	}
	return l, func() error { return os.Rename(temporary, controlPath(dir)) }, nil
}
