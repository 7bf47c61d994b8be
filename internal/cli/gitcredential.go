package cli

import (
	"bufio"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

type gitCredentialCmd struct {
	Do string `arg:"" name:"operation" help:"What git asks for: get, store or erase."`
}

// Run answers git, as gitcredentials(7) says: with the plant's token if git asks for the
// plant's own address, and with nothing otherwise. There is nothing to store or to erase.
func (cmd *gitCredentialCmd) Run(c *call) error {
	asked, err := readCredentialRequest(c.in)
	if err != nil || cmd.Do != "get" {
		return err
	}
	p, err := c.plant()
	if err != nil {
		return err
	}
	if p.Token == "" || !asked.isFor(p.URL) {
		return nil
	}
	fmt.Fprintf(c.out, "username=andon\npassword=%s\n", p.Token)
	return nil
}

// A credentialRequest is what git wants a password for.
type credentialRequest struct{ protocol, host string }

// maxRequest bounds what git may say.
const maxRequest = 64 << 10

func readCredentialRequest(in io.Reader) (r credentialRequest, err error) {
	lines := bufio.NewScanner(io.LimitReader(in, maxRequest))
	for lines.Scan() && lines.Text() != "" {
		key, value, _ := strings.Cut(lines.Text(), "=")
		switch key {
		case "protocol":
			r.protocol = value
		case "host":
			r.host = value
		}
	}
	return r, lines.Err()
}

// isFor reports whether git speaks to the plant at that address: same scheme, host and port.
func (r credentialRequest) isFor(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && strings.EqualFold(r.protocol, u.Scheme) && strings.EqualFold(r.host, u.Host)
}

// credentialLine returns the command that makes git sign in to a plant by itself. dir is the
// plant's data directory, empty when it is found without.
func credentialLine(address, dir string) string {
	helper := "!" + quoted(ownProgram())
	if dir != "" {
		helper += " --data " + quoted(dir)
	}
	return fmt.Sprintf("git config --global credential.%s.helper %s", strings.TrimRight(address, "/"), quoted(helper+" git-credential"))
}

// ownProgram returns what starts this program from anywhere: its name if that finds it.
func ownProgram() string {
	self, err := os.Executable()
	if err != nil {
		return "andon"
	}
	found, err := exec.LookPath("andon")
	if err == nil && samePath(found, self) {
		return "andon"
	}
	return self
}

func samePath(a, b string) bool {
	a, errA := filepath.EvalSymlinks(a)
	b, errB := filepath.EvalSymlinks(b)
	return errA == nil && errB == nil && a == b
}
