package vcs

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
)

// Credentials are what a private repository asks for. The zero value has none. They reach git
// in its environment and in a file that only this user can read, never as arguments.
type Credentials struct {
	User   string // beside Token; empty: "x-access-token", which every large host accepts
	Token  string // for http and https: a password or access token
	SSHKey string // for ssh: the content of an unencrypted private key
}

// defaultUser goes with a token without a user.
const defaultUser = "x-access-token"

var transportForm = regexp.MustCompile(`^[A-Za-z0-9+.-]*::`)

// CheckURL reports what is wrong with the address of a repository: a path, or a file, http,
// https, ssh or git URL, or the user@host:path form of ssh.
func CheckURL(address string) error {
	bad := func(why string) error {
		return andon.Errorf(andon.KindInvalid, "%q is not the address of a repository: %s", Redacted(address), why).
			WithHint("write a path, an https://, ssh:// or git:// URL, or user@host:path")
	}
	switch {
	case strings.TrimSpace(address) == "":
		return bad("it is empty")
	case strings.HasPrefix(address, "-"):
		return bad("it begins with a hyphen")
	case strings.ContainsFunc(address, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return bad("it has control characters")
	case transportForm.MatchString(address):
		return bad("remote helpers are not supported")
	}
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return nil // a path, or the short form of ssh; git checks the host's form by itself
	}
	switch strings.ToLower(scheme) {
	case "file":
		return nil
	case "http", "https", "ssh", "git":
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || strings.HasPrefix(rest, "-") || strings.HasPrefix(u.Hostname(), "-") {
			return bad("it has no valid host")
		}
		return nil
	default:
		return bad("the scheme " + scheme + " is not supported")
	}
}

// HoldsSecret reports whether an address has what must be kept apart from it: a password, or over
// http a user, which is a token as often as not.
func HoldsSecret(address string) bool {
	scheme, rest, _ := strings.Cut(address, "://")
	authority, _, _ := strings.Cut(rest, "/")
	at := strings.LastIndexByte(authority, '@')
	return at >= 0 && (strings.HasPrefix(strings.ToLower(scheme), "http") || strings.Contains(authority[:at], ":"))
}

// Redacted returns the address without the user and password that it may carry.
func Redacted(address string) string {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return address
	}
	end := strings.IndexByte(rest, '/')
	if end < 0 {
		end = len(rest)
	}
	at := strings.LastIndexByte(rest[:end], '@')
	return scheme + "://" + rest[at+1:]
}

// Heads is what a remote repository offers.
type Heads struct {
	Branches map[string]andon.CommitID // by name without refs/heads/
	Default  string                    // the branch that its HEAD names; empty: none
}

// maxHeads bounds the branches that LsRemote returns.
const maxHeads = 10_000

// LsRemote asks a repository for its branches without fetching anything. An error of kind
// andon.KindUnreachable says that it does not answer or does not let us in.
func LsRemote(ctx context.Context, address string, creds Credentials) (Heads, error) {
	out, err := remoteCommand(ctx, address, creds, command{
		args:    []string{"ls-remote", "--symref", "--", "", "HEAD", "refs/heads/*"},
		timeout: lsRemoteTimeout,
	})
	if err != nil {
		return Heads{}, err
	}
	heads := Heads{Branches: map[string]andon.CommitID{}}
	for line := range strings.Lines(string(out)) {
		value, ref, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if target, ok := strings.CutPrefix(value, "ref: refs/heads/"); ok && ref == "HEAD" {
			heads.Default = target
			continue
		}
		branch, ok := strings.CutPrefix(ref, "refs/heads/")
		if id := andon.CommitID(value); ok && id.Valid() {
			heads.Branches[branch] = id
		}
		if len(heads.Branches) > maxHeads {
			return Heads{}, andon.Errorf(andon.KindInvalid, "%s has more than %d branches", Redacted(address), maxHeads)
		}
	}
	return heads, nil
}

// Fetch makes the branches of the bare repository the same as those of the remote one: new and
// moved ones are fetched, also when they were rewritten, and those that are gone are removed.
// Tags are not fetched.
func (r Repo) Fetch(ctx context.Context, address string, creds Credentials) error {
	_, err := remoteCommand(ctx, address, creds, command{
		args: []string{"fetch", "--quiet", "--force", "--prune", "--no-tags", "--no-write-fetch-head",
			"--no-recurse-submodules", "--", "", "+refs/heads/*:refs/heads/*"},
		env:     append([]string{"GIT_DIR=" + r.Dir}, r.Env...),
		timeout: fetchTimeout,
	})
	return err
}

// remoteCommand runs a command that talks to a remote repository. The empty argument after
// "--" stands for its address.
func remoteCommand(ctx context.Context, address string, creds Credentials, c command) ([]byte, error) {
	if err := CheckURL(address); err != nil {
		return nil, err
	}
	plain, creds := takeUserinfo(address, creds)
	for i, a := range c.args {
		if a == "" {
			c.args[i] = plain
		}
	}
	if creds.Token != "" {
		c.settings = append(c.settings, tokenHeader(plain, creds)...)
	}
	ssh := "ssh -o BatchMode=yes -o ConnectTimeout=15 -o StrictHostKeyChecking=accept-new"
	if creds.SSHKey != "" {
		dir, err := os.MkdirTemp("", "andon-ssh-")
		if err != nil {
			return nil, fmt.Errorf("keep the ssh key: %w", err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		key := filepath.Join(dir, "key")
		if err := os.WriteFile(key, []byte(strings.TrimRight(creds.SSHKey, "\r\n")+"\n"), 0o600); err != nil {
			return nil, fmt.Errorf("keep the ssh key: %w", err)
		}
		ssh += " -o IdentitiesOnly=yes -i " + shellQuoted(key)
	}
	c.env = append(c.env, "GIT_SSH_COMMAND="+ssh)
	out, err := c.run(ctx)
	if err != nil {
		return nil, unreachable(address, err)
	}
	return out, nil
}

// takeUserinfo moves a user and password out of an http or https URL, so that they never are
// arguments of a process.
func takeUserinfo(address string, creds Credentials) (string, Credentials) {
	u, err := url.Parse(address)
	if err != nil || u.User == nil || (u.Scheme != "http" && u.Scheme != "https") {
		return address, creds
	}
	if creds.Token == "" {
		creds.User = u.User.Username()
		creds.Token, _ = u.User.Password()
		if creds.Token == "" { // https://TOKEN@host, as some hosts write it
			creds.User, creds.Token = "", creds.User
		}
	}
	u.User = nil
	return u.String(), creds
}

// tokenHeader returns the settings that send the token to the address's own host alone.
func tokenHeader(address string, creds Credentials) []setting {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return nil
	}
	user := creds.User
	if user == "" {
		user = defaultUser
	}
	basic := base64.StdEncoding.EncodeToString([]byte(user + ":" + creds.Token))
	return []setting{{"http." + u.Scheme + "://" + u.Host + "/.extraHeader", "Authorization: Basic " + basic}}
}

// shellQuoted quotes a path of our own making for GIT_SSH_COMMAND, which git gives to sh.
func shellQuoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// unreachable turns what git said about a remote repository into a sentence and a hint.
func unreachable(address string, err error) error {
	name := Redacted(address)
	f, ok := errors.AsType[*failure](err)
	if !ok {
		if andon.KindOf(err) == andon.KindTimeout {
			return andon.Errorf(andon.KindUnreachable, "the repository %s did not answer in time", name).
				WithHint("check that this machine can reach it").Because(err)
		}
		return err
	}
	said := f.stderr
	has := func(texts ...string) bool {
		for _, t := range texts {
			if strings.Contains(said, t) {
				return true
			}
		}
		return false
	}
	e := andon.Errorf(andon.KindUnreachable, "the repository %s cannot be read", name)
	switch {
	case has("Authentication failed", "could not read Username", "could not read Password", "returned error: 401", "returned error: 403"):
		e = andon.Errorf(andon.KindUnreachable, "the repository %s does not accept the token, or needs one", name).
			WithHint("give a token that may read it")
	case has("Permission denied (publickey"):
		e = andon.Errorf(andon.KindUnreachable, "the repository %s does not accept the SSH key, or needs one", name).
			WithHint("give the private half of a key that may read it")
	case has("Host key verification failed"):
		e = andon.Errorf(andon.KindUnreachable, "the host key of %s is not the one that is known", name).
			WithHint("if the host has a new key, remove the old one with ssh-keygen -R")
	case has("Could not resolve host", "Name or service not known", "Temporary failure in name resolution"):
		e = andon.Errorf(andon.KindUnreachable, "the host of the repository %s is not known", name).
			WithHint("check the address, and the name server of this machine")
	case has("Connection refused", "Failed to connect", "Couldn't connect", "timed out", "No route to host", "Network is unreachable"):
		e = andon.Errorf(andon.KindUnreachable, "the host of the repository %s does not answer", name).
			WithHint("check that this machine can reach it")
	case has("not found", "does not exist", "does not appear to be a git repository", "returned error: 404"):
		e = andon.Errorf(andon.KindUnreachable, "there is no repository at %s, or it is private", name).
			WithHint("check the address; a private repository needs a token or an SSH key")
	default:
		e = e.WithHint("try: git ls-remote %s", name)
	}
	// git repeats the address in what it prints, without what takeUserinfo took from it.
	return e.Because(err)
}
