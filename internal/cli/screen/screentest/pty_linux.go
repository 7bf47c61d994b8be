package screentest

import (
	"fmt"
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// A Terminal is a pseudo-terminal with a page that shows what is written to it.
type Terminal struct {
	*Page
	// Slave is the end that programs have as their terminal.
	Slave  *os.File
	master *os.File
}

// Open returns a terminal of a size. It is closed when the test ends.
func Open(t testing.TB, columns, rows int) *Terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("there are no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	p := &Terminal{Page: NewPage(columns, rows), Slave: slave, master: master}
	p.Resize(t, columns, rows)
	go func() { _, _ = io.Copy(p.Page, master) }() // ends when the last program and the test close the terminal
	return p
}

// Resize makes the window larger or smaller; the system tells the programs in it.
func (p *Terminal) Resize(t testing.TB, columns, rows int) {
	t.Helper()
	p.mu.Lock()
	p.size(columns, rows)
	p.mu.Unlock()
	if err := unix.IoctlSetWinsize(int(p.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(rows), Col: uint16(columns)}); err != nil { //nolint:gosec // a size of a test
		t.Fatal(err)
	}
}

// Press presses keys.
func (p *Terminal) Press(t testing.TB, keys string) {
	t.Helper()
	if _, err := p.master.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

// Settings returns how the terminal is set up now.
func (p *Terminal) Settings(t testing.TB) unix.Termios {
	t.Helper()
	settings, err := unix.IoctlGetTermios(int(p.Slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *settings
}
