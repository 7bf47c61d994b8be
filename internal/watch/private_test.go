package watch_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/secret"
	"github.com/andon-cd/andon/internal/watch"
)

// token and nextToken are words that no other process on this machine shows.
var token, nextToken = "ghp_" + rand.Text(), "ghp_" + rand.Text()

// A host serves a repository with git's own http-backend to whoever knows the token, and looks at
// the command lines of all processes meanwhile.
type host struct {
	*httptest.Server
	mu       sync.Mutex
	token    string
	commands strings.Builder
	users    []string
}

func newHost(t *testing.T, c *clone) *host {
	t.Helper()
	program, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	backend := &cgi.Handler{
		Path: program, Args: []string{"http-backend"},
		Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(c.bare), "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_GLOBAL=/dev/null"},
	}
	h := &host{token: token}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, name := range names {
			line, _ := os.ReadFile(name) // a process may have ended
			fmt.Fprintf(&h.commands, "%q\n", line)
		}
		user, password, _ := r.BasicAuth()
		h.users = append(h.users, user)
		known := password == h.token
		h.mu.Unlock()
		if !known {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *host) rotate(token string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.token = token
}

func (h *host) asked() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.users)
}

func (h *host) seen() (commands, users string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.commands.String(), strings.Join(h.users, " ")
}

// silent fails when a secret can be read where people look: in the log, in the journal, in the
// command lines, and in what the clone of the repository keeps.
func (b *bed) silent(h *host, secrets ...string) {
	b.t.Helper()
	var journal strings.Builder
	for e, err := range b.journal.Read(b.t.Context(), 0, 0) {
		b.must(err)
		data, err := e.MarshalJSON()
		b.must(err)
		journal.Write(data)
	}
	config, err := os.ReadFile(filepath.Join(b.dir, "shop.git", "config"))
	b.must(err)
	where := map[string]string{"the log": b.log.String(), "the journal": journal.String(), "git's configuration": string(config)}
	if h != nil {
		where["the command lines"], _ = h.seen()
		if !strings.Contains(where["the command lines"], "ls-remote") || !strings.Contains(where["the command lines"], "fetch") {
			b.t.Error("the command lines of git were not seen")
		}
	}
	for name, text := range where {
		for _, s := range secrets {
			if at := strings.Index(text, s); at >= 0 {
				b.t.Errorf("%s shows %s: …%s", name, s, text[max(0, at-200):at+len(s)])
			}
		}
	}
}

func TestRun_ReadsAPrivateRepositoryWithItsTokenAndShowsItToNobody(t *testing.T) {
	b, c := newBed(t), newClone(t)
	c.push("main", "first")
	h := newHost(t, c)
	url := h.URL + "/shop.git"
	if _, err := watch.Reachable(t.Context(), url, "", secret.Credential{}); andon.KindOf(err) != andon.KindUnreachable || !strings.Contains(err.Error(), "token") {
		t.Errorf("without a token: %v", err)
	}
	b.watch(soon)
	b.add("shop", url, secret.Credential{User: "robot", Token: token})
	b.await("1 main first")
	c.push("main", "second")
	b.await("1 main first", "2 main second")
	if _, users := h.seen(); !strings.Contains(users, "robot") {
		t.Errorf("the users were %s", users)
	}

	// The token is changed at the host, later in the plant too.
	h.rotate(nextToken)
	b.awaitThat("it is said", func() bool { return strings.Contains(b.log.String(), "a watched repository cannot be read") })
	if log := b.log.String(); !strings.Contains(log, "does not accept the token") || !strings.Contains(log, "repository="+url) {
		t.Errorf("log: %s", log)
	}
	c.push("main", "third")
	b.must(b.secrets.Put("shop", secret.Credential{Token: nextToken}))
	b.watcher.Wake("shop")
	b.await("1 main first", "2 main second", "3 main third")
	b.silent(h, token, nextToken)
}

func TestReachable_ShowsNoTokenThatIsPartOfTheAddress(t *testing.T) {
	c := newClone(t)
	c.push("main", "first")
	h := newHost(t, c)
	address := strings.Replace(h.URL, "http://", "http://robot:"+token+"@", 1) + "/shop.git"
	if trunk, err := watch.Reachable(t.Context(), address, "", secret.Credential{}); err != nil || trunk != "main" {
		t.Errorf("%q, %v", trunk, err)
	}
	h.rotate(nextToken)
	_, err := watch.Reachable(t.Context(), address, "", secret.Credential{})
	if andon.KindOf(err) != andon.KindUnreachable || strings.Contains(fmt.Sprintf("%+v", err), token) {
		t.Errorf("error %v", err)
	}
	if commands, _ := h.seen(); strings.Contains(commands, token) {
		t.Error("the command lines show the token")
	}
}

// newKey makes a key pair and returns the files of its two halves.
func newKey(t *testing.T) (private, public string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	if out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
	return file, file + ".pub"
}

func contentOf(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// startSSHD runs a server on a loopback port that lets this user in with the key alone, and
// returns its address. What it logs is in the file.
//
// The port is this test's own: it gives each connection to an sshd of its own, as inetd does. One
// that listens itself would have to find a port that nobody takes meanwhile.
func startSSHD(t *testing.T, authorized string) (address, log string) {
	t.Helper()
	program, err := exec.LookPath("sshd")
	if err != nil {
		program = "/usr/sbin/sshd" // not in everybody's PATH
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("sshd is not installed: scripts/setup installs it")
	}
	if _, err := os.Stat("/run/sshd"); os.Getuid() == 0 && err != nil {
		t.Skip("sshd needs the directory /run/sshd: scripts/setup makes it")
	}
	dir := t.TempDir()
	hostKey, _ := newKey(t)
	config := filepath.Join(dir, "sshd_config")
	text := strings.Join([]string{
		"HostKey " + hostKey, "AuthorizedKeysFile " + authorized, "PidFile none",
		"StrictModes no", "UsePAM no", "PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitRootLogin prohibit-password",
	}, "\n") + "\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	log = filepath.Join(dir, "sshd.log")
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.AcceptTCP()
			if err != nil {
				return // the test is over
			}
			serving.Go(func() {
				_ = serveSSH(ctx, conn, program, "-i", "-f", config, "-E", log) // what its log says of it is more
			})
		}
	})
	t.Cleanup(func() { l.Close(); stop(); serving.Wait() })
	return l.Addr().String(), log
}

// serveSSH gives a connection to a program as its input and output.
func serveSSH(ctx context.Context, conn *net.TCPConn, program string, args ...string) error {
	file, err := conn.File()
	conn.Close() // file has it
	if err != nil {
		return err
	}
	defer file.Close()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin, cmd.Stdout = file, file
	return cmd.Run()
}

// ownKnownHosts keeps ssh from reading and writing what this user's own ssh knows.
func ownKnownHosts(t *testing.T) (file string) {
	t.Helper()
	program, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("ssh is not installed: scripts/setup installs it")
	}
	bin := t.TempDir()
	file = filepath.Join(bin, "known_hosts")
	script := fmt.Sprintf("#!/bin/sh\nexec '%s' -F none -o UserKnownHostsFile='%s' -o GlobalKnownHostsFile=/dev/null \"$@\"\n", program, file)
	if err := os.WriteFile(filepath.Join(bin, "ssh"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("SSH_AUTH_SOCK", "")
	return file
}

func TestRun_ReadsAPrivateRepositoryWithItsSSHKeyAndShowsItToNobody(t *testing.T) {
	known := ownKnownHosts(t)
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	mine, public := newKey(t)
	stranger, _ := newKey(t)
	address, log := startSSHD(t, public)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	b, c := newBed(t), newClone(t)
	c.push("main", "first")
	url := "ssh://" + me.Username + "@" + address + c.bare

	for what, key := range map[string]string{"no key": "", "another's key": contentOf(t, stranger)} {
		_, err := watch.Reachable(t.Context(), url, "", secret.Credential{SSHKey: key})
		if andon.KindOf(err) != andon.KindUnreachable || !strings.Contains(err.Error(), "SSH key") || strings.Contains(err.Error(), "PRIVATE KEY") {
			t.Errorf("with %s: %v\n%s", what, err, contentOf(t, log))
		}
	}
	trunk, err := watch.Reachable(t.Context(), url, "", secret.Credential{SSHKey: contentOf(t, mine)})
	if err != nil || trunk != "main" {
		t.Fatalf("%q, %v\n%s", trunk, err, contentOf(t, log))
	}
	end := b.watch(soon)
	b.add("shop", url, secret.Credential{SSHKey: contentOf(t, mine)})
	b.await("1 main first")
	c.push("main", "second")
	b.await("1 main first", "2 main second")
	lines := strings.Split(strings.TrimSpace(contentOf(t, mine)), "\n")
	b.silent(nil, lines[1])

	end() // whose ssh would see, and might mend, what is half written

	// Another host answers at the address: it is not given a chance.
	hosts := strings.Fields(contentOf(t, known))
	_, other := newKey(t)
	forged := hosts[0] + " " + strings.Join(strings.Fields(contentOf(t, other))[:2], " ") + "\n"
	if err := os.WriteFile(known, []byte(forged), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = watch.Reachable(t.Context(), url, "", secret.Credential{SSHKey: contentOf(t, mine)})
	if andon.KindOf(err) != andon.KindUnreachable || !strings.Contains(err.Error(), "host key") {
		t.Errorf("with another host key: %v", err)
	}
}
