package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/e2e/planttest"
)

// An sshHost is a host that a real sshd lets this user in to, with a key of its own.
type sshHost struct {
	t       *testing.T
	home    string
	address string // 127.0.0.1:PORT
	user    string
	bin     string // with an ssh that knows the key, and nothing of this user
	known   string // the hosts that it knows
	calls   string // what it was called with
}

// newSSHHost starts an sshd on a port of its own.
func newSSHHost(t *testing.T) *sshHost {
	t.Helper()
	server, err := exec.LookPath("sshd")
	if err != nil {
		server = "/usr/sbin/sshd" // not in everybody's PATH
	}
	client, clientErr := exec.LookPath("ssh")
	if _, err := os.Stat(server); err != nil || clientErr != nil {
		t.Skip("ssh or sshd is not installed: scripts/setup installs them")
	}
	if _, err := os.Stat("/run/sshd"); os.Getuid() == 0 && err != nil {
		t.Skip("sshd needs the directory /run/sshd: scripts/setup makes it")
	}
	if _, err := os.Stat("/run/systemd/system"); err == nil && os.Getuid() == 0 {
		t.Skip("systemd runs this machine: the agent's unit would be put into it")
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	home := newHome(t)
	h := &sshHost{t: t, home: home, address: planttest.FreeAddress(t), user: me.Username, bin: filepath.Join(home, "bin"), known: filepath.Join(home, "known_hosts"), calls: filepath.Join(home, "calls")}
	key, hostKey := filepath.Join(home, "key"), filepath.Join(home, "host_key")
	for _, file := range []string{key, hostKey} {
		execute(t, home, environmentIn(home), "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file).Wants(t, done, "ssh-keygen")
	}
	_, port, _ := net.SplitHostPort(h.address)
	h.write("sshd_config", 0o600, "Port "+port, "ListenAddress 127.0.0.1", "HostKey "+hostKey, "AuthorizedKeysFile "+filepath.Join(home, "authorized_keys"), "PidFile none",
		"StrictModes no", "UsePAM no", "PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitRootLogin prohibit-password")
	h.admit("key.pub")
	if err := os.Mkdir(h.bin, 0o700); err != nil {
		t.Fatal(err)
	}
	h.write("bin/ssh", 0o700, "#!/bin/sh", "printf '%s\\n' \"$@\" >> '"+h.calls+"'",
		fmt.Sprintf("exec '%s' -F none -i '%s' -o IdentitiesOnly=yes -o UserKnownHostsFile='%s' -o GlobalKnownHostsFile=/dev/null \"$@\"", client, key, h.known))
	daemon := exec.Command(server, "-D", "-f", filepath.Join(home, "sshd_config"), "-E", filepath.Join(home, "sshd.log"))
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = daemon.Process.Kill()
		_ = daemon.Wait()
	})
	until(t, "sshd listens", func() error {
		conn, err := net.Dial("tcp", h.address)
		if err == nil {
			conn.Close()
		}
		return err
	})
	return h
}

func (h *sshHost) write(name string, mode os.FileMode, lines ...string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.home, name), []byte(strings.Join(lines, "\n")+"\n"), mode); err != nil {
		h.t.Fatal(err)
	}
}

func (h *sshHost) read(name string) string {
	h.t.Helper()
	data, err := os.ReadFile(filepath.Join(h.home, name))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(data)
}

// trust notes a public key as that of the host.
func (h *sshHost) trust(name string) {
	h.t.Helper()
	_, port, _ := net.SplitHostPort(h.address)
	h.write("known_hosts", 0o600, "[127.0.0.1]:"+port+" "+strings.Join(strings.Fields(h.read(name))[:2], " "))
}

// admit lets whoever has the other half of a public key in to the host, and nobody else.
func (h *sshHost) admit(name string) {
	h.t.Helper()
	h.write("authorized_keys", 0o600, h.read(name))
}

// TestHosts_AreInstalledBySSH installs an agent with the real ssh and sshd: nothing is asked, no
// command line has the token, and a host whose key is not known gets nothing.
func TestHosts_AreInstalledBySSH(t *testing.T) {
	t.Parallel()
	h := newSSHHost(t)
	p := startPlant(t)
	into := filepath.Join(h.home, "into")
	data := filepath.Join(into, "web1")
	add := func(more ...string) result {
		environment := append(environmentIn(p.Home), "PATH="+h.bin+":"+os.Getenv("PATH"))
		args := append([]string{"host", "add", "ssh://" + h.user + "@" + h.address, "--name", "web1", "--into", into, "--label", "environment=production", "--proxy", "127.0.0.1:0"}, more...)
		return execute(t, p.Home, environment, p.Program, args...)
	}
	add().Wants(t, refused, "andon host add of a host whose key is not known").Says(t, "is not one that this machine knows")
	h.trust("key.pub")
	add().Wants(t, refused, "andon host add of a host with another key").Says(t, "is not one that this machine knows")
	h.trust("host_key.pub")
	h.admit("host_key.pub")
	add().Wants(t, unreachable, "andon host add of a host that does not let this user in").Says(t, "SSH does not get to", "Permission denied")
	if _, err := os.Stat(into); err == nil {
		t.Error("something was put on a host that is not the right one")
	}
	if _, there := p.hostNamed("web1"); there {
		t.Error("a token was made for a host that could not be reached")
	}

	h.admit("key.pub")
	t.Cleanup(func() {
		execute(t, h.home, environmentIn(h.home), p.Program, "down", "--data", data).Wants(t, done, "andon down of the agent")
		for _, left := range planttest.LeftOf(into) {
			t.Errorf("andon down leaves process %d: %s", left.PID, left.Command)
		}
	})
	add().Wants(t, done, "andon host add ssh://").Says(t, "web1 is connected", filepath.Join(into, "andon")+" agent --data "+data)
	if host, _ := p.hostNamed("web1"); host.State != api.HostConnected || host.Labels["environment"] != "production" || host.Joined == nil {
		t.Errorf("the host is %+v", host)
	}
	if calls := h.read("calls"); strings.Contains(calls, "join.web1.") || !strings.Contains(calls, "StrictHostKeyChecking=yes") {
		t.Errorf("ssh was called with\n%s", calls)
	}
	running := 0
	for _, process := range processesOf(into) {
		running++
		if strings.Contains(process.Command, "join.") || strings.Contains(fmt.Sprint(process.Environ), "join.") {
			t.Errorf("a process shows the token: %s", process.Command)
		}
	}
	if running < 2 {
		t.Errorf("%d processes run on the host, want an agent and its proxy", running)
	}
	if log := h.read("into/web1/agent.log"); strings.Contains(log, "join.") {
		t.Errorf("the agent's log has the token:\n%s", log)
	}
	if here, there := contents(t, p.Program), contents(t, filepath.Join(into, "andon")); here != there {
		t.Error("the program on the host is another one")
	}
	add().Wants(t, failed, "andon host add of the same host").Says(t, "there is a host web1 already")

	shop := p.newShop("instances: 2", "instances: 1")
	shop.ShipFirst()
	if host, _ := p.hostNamed("web1"); host.Copies != 1 {
		t.Errorf("%d copies run on the host", host.Copies)
	}
}

func contents(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
