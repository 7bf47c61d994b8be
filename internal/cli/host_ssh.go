package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform/process"
)

const (
	// sshTimeout bounds a step of an installation, and copyTimeout the one that sends the program.
	sshTimeout  = time.Minute
	copyTimeout = 10 * time.Minute
	// maxSaid bounds what is kept of what a host says.
	maxSaid = 16 << 10
)

// A distant is a host that the system's ssh reaches. Only fixed scripts run there: what differs from
// host to host goes to their standard input, a line each, and never into a command line.
type distant struct {
	user, host, port string // user and port may be empty: ssh knows
}

var (
	sshUser = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
	sshHost = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?$`)
)

// parseDistant reads ssh://[USER@]HOST[:PORT].
func parseDistant(text string) (d distant, err error) {
	bad := usage(fmt.Sprintf("%q is not a host to reach by SSH", printable(withoutPassword(text))), "Write it as ssh://USER@HOST, or ssh://USER@HOST:PORT.")
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "ssh" || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		return d, bad
	}
	d = distant{user: u.User.Username(), host: u.Hostname(), port: u.Port()}
	if _, secret := u.User.Password(); secret {
		return d, usage("an address with a password is not taken", "Let SSH sign you in with a key, and leave the password out.")
	}
	if !sshHost.MatchString(d.host) || (d.user != "" && !sshUser.MatchString(d.user)) {
		return d, bad
	}
	if port, err := strconv.Atoi(d.port); d.port != "" && (err != nil || port < 1 || port > 65535) {
		return d, bad
	}
	return d, nil
}

// withoutPassword returns an address that may be wrong without the password that it may have.
func withoutPassword(text string) string {
	scheme, rest, _ := strings.Cut(text, "://")
	at := strings.LastIndexByte(rest, '@')
	if user, _, secret := strings.Cut(rest[:max(at, 0)], ":"); secret {
		return scheme + "://" + user + rest[at:]
	}
	return text
}

// String returns the host as people type it after ssh.
func (d distant) String() string {
	if d.user == "" {
		return d.host
	}
	return d.user + "@" + d.host
}

// args are those of ssh: nothing is asked, and a host whose key is not known is not spoken to.
func (d distant) args(script string) []string {
	args := []string{"-T", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=15", "-o", "ForwardAgent=no"}
	if d.port != "" {
		args = append(args, "-p", d.port)
	}
	if d.user != "" {
		args = append(args, "-l", d.user)
	}
	return append(args, "--", d.host, "exec sh -c "+quoted(script))
}

// run runs one of the scripts below on the host and returns what it prints. doing says what it is
// for, in an error.
func (d distant) run(ctx context.Context, limit time.Duration, doing, script string, input io.Reader) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ssh", d.args(script)...)
	cmd.WaitDelay = 5 * time.Second
	said, complaint := &beginning{}, &beginning{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = input, said, complaint
	err := cmd.Run()
	if err == nil {
		return strings.TrimSpace(said.String()), nil
	}
	return "", d.trouble(doing, strings.TrimSpace(complaint.String()), err)
}

// trouble says what went wrong in words of whoever waits for it.
func (d distant) trouble(doing, complaint string, err error) error {
	why := printable(first(lastSentence(complaint), err.Error()))
	exit, ended := errors.AsType[*exec.ExitError](err)
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return andon.Errorf(andon.KindNotFound, "there is no ssh on this machine").WithHint("Install the OpenSSH client; or run the command of `andon host add NAME` on the host.").Because(err)
	case strings.Contains(complaint, "ost key") || strings.Contains(complaint, "HOST IDENTIFICATION"):
		return andon.Errorf(andon.KindRefused, "the host key of %s is not one that this machine knows: %s", d.host, why).
			WithHint("Run `ssh %s` once and compare the key that it shows with the host's own; then repeat this.", d).Because(err)
	case ended && exit.ExitCode() == 255: // of ssh itself
		return andon.Errorf(andon.KindUnreachable, "SSH does not get to %s: %s", d, why).
			WithHint("Try `ssh %s true`: it must work without asking for anything.", d).Because(err)
	case errors.Is(err, context.DeadlineExceeded), ended && !exit.Exited():
		return andon.Errorf(andon.KindTimeout, "%s on %s took too long", doing, d).Because(err)
	}
	return andon.Errorf(andon.KindInvalid, "%s on %s failed: %s", doing, d, why).Because(err)
}

// lastSentence returns the last line that is not a hint, which is indented.
func lastSentence(complaint string) (last string) {
	for line := range strings.Lines(complaint) {
		if line = strings.TrimRight(line, "\r\n"); line != "" && line[0] != ' ' {
			last = strings.TrimPrefix(line, "andon: ")
		}
	}
	return last
}

// A beginning keeps the first bytes of what is written to it. It does not embed the buffer, whose
// ReadFrom would take everything.
type beginning struct{ kept bytes.Buffer }

// Write implements io.Writer.
func (b *beginning) Write(p []byte) (int, error) {
	_, _ = b.kept.Write(p[:min(len(p), maxSaid-b.kept.Len())]) // never fails
	return len(p), nil
}

// String returns what was kept.
func (b *beginning) String() string { return b.kept.String() }

// lines is the input of a script: one value a line.
func lines(values ...string) string { return strings.Join(values, "\n") + "\n" }

// A foreign is what has to be known of a host before anything is put there.
type foreign struct {
	system, machine string
	root, systemd   bool
	home            string
}

const lookScript = `set -eu
uname -s
uname -m
id -u
if [ -d /run/systemd/system ]; then echo systemd; else echo none; fi
printf "%s\n" "$HOME"
`

// lookAt finds out what the host is, and refuses one that this very program cannot run on.
func (d distant) lookAt(ctx context.Context) (f foreign, err error) {
	said, err := d.run(ctx, sshTimeout, "looking at the system", lookScript, nil)
	if err != nil {
		return f, err
	}
	words := strings.Split(said, "\n")
	if len(words) != 5 || !path.IsAbs(words[4]) {
		return f, andon.Errorf(andon.KindInvalid, "%s does not answer as a host does to a shell's commands", d).
			WithHint("Its login must run nothing that prints.")
	}
	f = foreign{system: strings.ToLower(words[0]), machine: words[1], root: words[2] == "0", systemd: words[3] == "systemd", home: words[4]}
	architectures := map[string]string{"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
	if f.system != runtime.GOOS || architectures[f.machine] != runtime.GOARCH {
		return f, andon.Errorf(andon.KindInvalid, "%s is %s on %s, and this andon is for %s on %s", d, printable(f.system), printable(f.machine), runtime.GOOS, runtime.GOARCH).
			WithHint("Bring an andon for its system there, and run the command of `andon host add NAME`.")
	}
	return f, nil
}

// sendScript reads the directory, the number of bytes and the program. Only what arrived as a whole
// and runs takes the place of what was there.
const sendScript = `set -eu
umask 022
read -r dir
read -r size
mkdir -p "$dir"
new=$(mktemp "$dir/.andon.XXXXXX")
trap "rm -f \"\$new\"" EXIT
head -c "$size" > "$new"
[ "$(wc -c < "$new")" -eq "$size" ] || { echo "the program did not arrive as a whole" >&2; exit 1; }
chmod 755 "$new"
"$new" version > /dev/null
mv -f "$new" "$dir/andon"
`

// send copies this program into a directory of the host.
func (d distant) send(ctx context.Context, dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	program, err := os.Open(self)
	if err != nil {
		return err
	}
	defer program.Close()
	info, err := program.Stat()
	if err != nil {
		return err
	}
	input := io.MultiReader(strings.NewReader(lines(dir, strconv.FormatInt(info.Size(), 10))), program)
	_, err = d.run(ctx, copyTimeout, "installing andon", sendScript, input)
	return err
}

// joinScript reads the program, the agent's directory and, last, the token: the agent reads that
// itself, so no command line has it.
const joinScript = `set -eu
umask 077
read -r program
read -r dir
exec "$program" agent join --data "$dir" -
`

// unitScript reads the name of a unit, and the unit itself.
const unitScript = `set -eu
umask 022
read -r name
unit="/etc/systemd/system/$name"
cat > "$unit.new"
mv -f "$unit.new" "$unit"
systemctl daemon-reload
systemctl enable --quiet "$name"
systemctl restart "$name"
`

// startScript reads the agent's directory, and then its command, a word a line.
const startScript = `set -eu
umask 077
read -r dir
set --
while read -r word; do set -- "$@" "$word"; done
nohup setsid "$@" < /dev/null >> "$dir/agent.log" 2>&1 &
`

// An installation is an agent on a host that is reached by SSH.
type installation struct {
	at      distant
	name    string
	system  foreign
	dir     string // for the program
	data    string // of the agent
	options []string
}

// install copies this program to a host, so that all that is left is to join and to start.
func install(ctx context.Context, at distant, name, into string, options []string) (*installation, error) {
	system, err := at.lookAt(ctx)
	if err != nil {
		return nil, err
	}
	i := &installation{at: at, name: name, system: system, options: options}
	switch {
	case into != "":
		i.dir, i.data = into, path.Join(into, name)
	case system.root:
		i.dir, i.data = "/usr/local/bin", "/var/lib/andon-agent/"+name
	default:
		i.dir, i.data = path.Join(system.home, ".local/bin"), path.Join(system.home, ".local/share/andon-agent", name)
	}
	return i, at.send(ctx, i.dir)
}

func (i *installation) program() string { return path.Join(i.dir, "andon") }

// unit returns the name of the agent's unit; empty: systemd does not keep it.
func (i *installation) unit() string {
	if !i.system.systemd || !i.system.root {
		return ""
	}
	return "andon-agent-" + i.name + ".service"
}

// command is how the agent is started. It has no token: the host has joined.
func (i *installation) command() []string {
	return append([]string{i.program(), "agent", "--data", i.data}, i.options...)
}

// join makes the host a member of the plant.
func (i *installation) join(ctx context.Context, token string) error {
	_, err := i.at.run(ctx, sshTimeout, "joining the plant", joinScript, strings.NewReader(lines(i.program(), i.data, token)))
	return err
}

// start starts the agent: kept by systemd where that is, else on its own until the host restarts.
func (i *installation) start(ctx context.Context) error {
	name := i.unit()
	if name == "" {
		_, err := i.at.run(ctx, sshTimeout, "starting the agent", startScript, strings.NewReader(lines(append([]string{i.data}, i.command()...)...)))
		return err
	}
	text, err := i.service().Render()
	if err != nil {
		return err
	}
	_, err = i.at.run(ctx, sshTimeout, "starting the agent", unitScript, strings.NewReader(lines(name)+text))
	return err
}

func (i *installation) service() process.Unit {
	return process.Unit{Description: "Andon agent " + i.name, Command: i.command()}
}

// where says where the agent's words are.
func (i *installation) where() string {
	if name := i.unit(); name != "" {
		return fmt.Sprintf("`journalctl -u %s` on it", name)
	}
	return path.Join(i.data, "agent.log") + " on it"
}
