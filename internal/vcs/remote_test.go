package vcs_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/vcs"
)

// serve serves the repository over HTTP to those who know the token.
func (c *clone) serve(token string) *httptest.Server {
	c.t.Helper()
	program, err := exec.LookPath("git")
	if err != nil {
		c.t.Fatal(err)
	}
	backend := &cgi.Handler{Path: program, Args: []string{"http-backend"}, Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(c.bare), "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_GLOBAL=/dev/null"}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); token != "" && (password != token || user == "") {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, r)
	}))
	c.t.Cleanup(server.Close)
	return server
}

func TestFetch_MirrorsTheBranches(t *testing.T) {
	c := newClone(t)
	first := c.commit("1")
	git(t, c.dir, "tag", "v1")
	git(t, c.dir, "push", "-q", c.bare, "v1", "HEAD:refs/pull/1/head", "HEAD:refs/heads/old")
	mirror, err := vcs.InitBare(t.Context(), filepath.Join(t.TempDir(), "mirror.git"))
	if err != nil {
		t.Fatal(err)
	}
	fetch := func(want map[string]andon.CommitID) {
		t.Helper()
		if err := mirror.Fetch(t.Context(), c.bare, vcs.Credentials{}); err != nil {
			t.Fatal(err)
		}
		if got, err := mirror.Branches(t.Context()); err != nil || !maps.Equal(got, want) {
			t.Errorf("branches %v, %v, want %v", got, err, want)
		}
	}
	fetch(map[string]andon.CommitID{"main": first, "old": first})
	if refs := git(t, mirror.Dir, "for-each-ref", "--format=%(refname)"); strings.Contains(refs, "tags") || strings.Contains(refs, "pull") {
		t.Errorf("refs:\n%s", refs)
	}
	git(t, c.bare, "branch", "-D", "old")
	git(t, c.dir, "checkout", "-q", "--orphan", "fresh")
	write(t, c.dir, "f", "x")
	git(t, c.dir, "branch", "-D", "main")
	git(t, c.dir, "branch", "-m", "main")
	fetch(map[string]andon.CommitID{"main": c.commit("rewritten")})
}

func TestLsRemote_TellsBranchesAndTheDefaultOne(t *testing.T) {
	c := newClone(t)
	id := c.commit("1")
	git(t, c.dir, "push", "-q", c.bare, "HEAD:refs/heads/feature/a", "HEAD:refs/tags/v1")
	for _, address := range []string{c.bare, "file://" + c.bare, c.serve("").URL + "/shop.git"} {
		heads, err := vcs.LsRemote(t.Context(), address, vcs.Credentials{})
		if err != nil || heads.Default != "main" || !maps.Equal(heads.Branches, map[string]andon.CommitID{"main": id, "feature/a": id}) {
			t.Errorf("%s: %+v, %v", address, heads, err)
		}
	}
	empty := newClone(t)
	if heads, err := vcs.LsRemote(t.Context(), empty.bare, vcs.Credentials{}); err != nil || len(heads.Branches) > 0 {
		t.Errorf("an empty repository: %+v, %v", heads, err)
	}
}

func TestLsRemote_SendsTheTokenToItsHostAndShowsItToNobody(t *testing.T) {
	const token = "s3cret-token"
	c := newClone(t)
	id := c.commit("1")
	server := c.serve(token)
	address := server.URL + "/shop.git"
	inURL := strings.Replace(address, "http://", "http://robot:"+token+"@", 1)
	tokenAlone := strings.Replace(address, "http://", "http://"+token+"@", 1)
	for _, try := range []struct {
		address string
		creds   vcs.Credentials
	}{{address, vcs.Credentials{Token: token}}, {address, vcs.Credentials{User: "u", Token: token}}, {inURL, vcs.Credentials{}}, {tokenAlone, vcs.Credentials{}}} {
		if heads, err := vcs.LsRemote(t.Context(), try.address, try.creds); err != nil || heads.Branches["main"] != id {
			t.Errorf("%+v, %v", heads, err)
		}
	}

	bad := strings.Replace(inURL, token, "wrong-one", 1)
	for _, try := range []struct {
		address string
		creds   vcs.Credentials
	}{{address, vcs.Credentials{}}, {address, vcs.Credentials{Token: "wrong-one"}}, {bad, vcs.Credentials{}}} {
		_, err := vcs.LsRemote(t.Context(), try.address, try.creds)
		kindIs(t, err, andon.KindUnreachable)
		if err != nil && (strings.Contains(err.Error(), "wrong-one") || !strings.Contains(err.Error(), "token") || !strings.Contains(err.Error(), address)) {
			t.Errorf("error %v", err)
		}
	}

	// A host that sends us elsewhere does not make us give the token away.
	var leaked string
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leaked += r.Header.Get("Authorization")
		w.WriteHeader(http.StatusNotFound)
	}))
	defer thief.Close()
	redirect := httptest.NewServer(http.RedirectHandler(thief.URL+"/shop.git/info/refs?service=git-upload-pack", http.StatusFound))
	defer redirect.Close()
	_, err := vcs.LsRemote(t.Context(), redirect.URL+"/shop.git", vcs.Credentials{Token: token})
	if kindIs(t, err, andon.KindUnreachable); leaked != "" {
		t.Errorf("another host got %q", leaked)
	}
}

func TestFetch_NeverShowsTheTokenInTheListOfProcesses(t *testing.T) {
	token := rand.Text() // that no other process on this machine shows
	seen := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		var all strings.Builder
		for _, name := range lines {
			line, _ := os.ReadFile(name)
			fmt.Fprintf(&all, "%q\n", line)
		}
		select {
		case seen <- all.String():
		default:
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	defer server.Close()
	address := strings.Replace(server.URL, "http://", "http://robot:"+token+"@", 1) + "/shop.git"
	_, err := vcs.LsRemote(t.Context(), address, vcs.Credentials{})
	kindIs(t, err, andon.KindUnreachable)
	if commands := <-seen; strings.Contains(commands, token) || !strings.Contains(commands, "ls-remote") {
		t.Errorf("commands:\n%s", commands)
	}
}

func TestLsRemote_UsesTheKeyAndRemovesIt(t *testing.T) {
	// A stand-in for ssh says what it was started with, and fails as ssh does.
	bin, temporary := t.TempDir(), t.TempDir()
	write(t, bin, "ssh", "#!/bin/sh\necho \"$@\" >> "+bin+"/args\nfor a; do case \"$last\" in -i) cat \"$a\" > "+bin+"/key; stat -c %a \"$a\" > "+bin+"/mode;; esac; last=$a; done\necho 'git@example.com: Permission denied (publickey).' >&2\nexit 255\n")
	if err := os.Chmod(filepath.Join(bin, "ssh"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	quoted := filepath.Join(temporary, "it's a dir")
	if err := os.Mkdir(quoted, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", quoted)
	_, err := vcs.LsRemote(t.Context(), "git@example.com:shop.git", vcs.Credentials{SSHKey: "the key"})
	if kindIs(t, err, andon.KindUnreachable); err == nil || !strings.Contains(err.Error(), "SSH key") {
		t.Errorf("error %v", err)
	}
	if read(t, bin, "key") != "the key\n" || read(t, bin, "mode") != "600\n" || !strings.Contains(read(t, bin, "args"), "BatchMode=yes") {
		t.Errorf("args %s key %q mode %s", read(t, bin, "args"), read(t, bin, "key"), read(t, bin, "mode"))
	}
	if left, _ := os.ReadDir(quoted); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestLsRemote_SaysWhyARepositoryCannotBeRead(t *testing.T) {
	unknown := strings.Repeat("x", 64) + ".invalid" // too long for a name: no name server is asked, which may be slow
	for address, want := range map[string]string{
		"/nowhere/shop.git":                            "there is no repository at /nowhere/shop.git",
		"http://127.0.0.1:1/x.git":                     "does not answer", // no program gets that port by chance
		"https://user:pw@" + unknown + "/x.git":        "the host of the repository https://" + unknown + "/x.git is not known",
		httptest.NewServer(http.NotFoundHandler()).URL: "there is no repository at",
	} {
		_, err := vcs.LsRemote(t.Context(), address, vcs.Credentials{})
		kindIs(t, err, andon.KindUnreachable)
		if err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "pw@")) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestLsRemote_EndsWithItsContext(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = vcs.LsRemote(ctx, "http://"+silent.Addr().String()+"/x.git", vcs.Credentials{})
	kindIs(t, err, andon.KindUnreachable)
}

func TestCheckURL_RefusesWhatCouldRunAProgram(t *testing.T) {
	for _, good := range []string{"/srv/shop.git", "./shop", "../shop", "https://example.com/a/b.git", "ssh://git@example.com:22/x", "git@example.com:a/b.git", "git://example.com/x", "file:///srv/x", "HTTPS://example.com/x"} {
		if err := vcs.CheckURL(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", " ", "-x", "--upload-pack=touch x", "ext::sh -c touch% x", "EXT::x", "fd::17", "transport::x", "ftp://example.com/x", "data://x",
		"ssh://-oProxyCommand=touch x/y", "ssh://user@-oProxyCommand=x/y", "https:///x", "https://exa mple/x", "a\nb", "a\x00b",
	} {
		err := vcs.CheckURL(bad)
		if err == nil || andon.KindOf(err) != andon.KindInvalid {
			t.Errorf("%q: %v", bad, err)
		}
		if _, err := vcs.LsRemote(t.Context(), bad, vcs.Credentials{}); err == nil {
			t.Errorf("%q was asked", bad)
		}
	}
	_, err := vcs.LsRemote(t.Context(), "-oProxyCommand=touch${IFS}x:y", vcs.Credentials{})
	kindIs(t, err, andon.KindInvalid)
}

func TestRedacted_HasNoUserAndPassword(t *testing.T) {
	for address, want := range map[string]string{
		"https://u:p@example.com/x":   "https://example.com/x",
		"https://t@example.com":       "https://example.com",
		"https://u:p@ss@example.com/": "https://example.com/",
		"https://example.com/@x":      "https://example.com/@x",
		"git@example.com:x":           "git@example.com:x",
		"/srv/x":                      "/srv/x",
	} {
		if got := vcs.Redacted(address); got != want {
			t.Errorf("Redacted(%q) = %q, want %q", address, got, want)
		}
	}
}

func TestHoldsSecret_TellsUsersFromPasswords(t *testing.T) {
	for address, want := range map[string]bool{
		"https://u:p@example.com/x": true, "https://t@example.com": true, "HTTP://t@example.com/x": true, "ssh://git:p@example.com/x": true,
		"https://example.com/@x": false, "ssh://git@example.com:22/x": false, "git@example.com:x": false, "/srv/a:b@c": false, "": false,
	} {
		if got := vcs.HoldsSecret(address); got != want {
			t.Errorf("HoldsSecret(%q) = %v", address, got)
		}
	}
}
