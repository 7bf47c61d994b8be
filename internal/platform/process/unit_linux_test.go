package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestUnit_IsOneThatSystemdTakes(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not here:", err)
	}
	dir := t.TempDir()
	text, err := Unit{
		Description: "Andon: agent eu-1 (100 % of it)",
		Command:     []string{"/bin/true", "agent", "--label", `zone="a b"`, "$HOME", `back\slash`, "100%n"},
		Environment: filepath.Join(dir, "environment"),
	}.Render()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "andon-agent.service")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(analyze, "verify", "--man=no", path).CombinedOutput()
	// What it says of this host's own units is not of interest.
	if err != nil || strings.Contains(string(out), "andon-agent") {
		t.Errorf("systemd-analyze verify: %v\n%s\n%s", err, out, text)
	}
}

func TestUnit_RefusesWhatWouldBeAnotherLineOfIt(t *testing.T) {
	for name, u := range map[string]Unit{
		"a relative program": {Command: []string{"andon"}},
		"a line in a word":   {Command: []string{"/bin/true", "a\nExecStartPre=/bin/false"}},
		"a line in the name": {Description: "a\nb", Command: []string{"/bin/true"}},
		"no program":         {},
	} {
		if text, err := u.Render(); err == nil {
			t.Errorf("%s gives\n%s", name, text)
		}
	}
}

func TestUnit_StartsTheAgentAgainAndLeavesItsProxyAlone(t *testing.T) {
	if !underSystemd() {
		t.Skip("it runs only within the test of systemd")
	}
	dir := t.TempDir()
	text, err := Unit{
		Description: "an agent",
		Command:     []string{"/bin/sh", "-c", `echo "$1 $TOKEN" >>` + dir + `/begun; sleep 1000 & echo $! >` + dir + `/proxy; wait`, "agent", `$HOME "%n" back\slash`},
		Environment: filepath.Join(dir, "environment"),
	}.Render()
	if err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string]string{
		filepath.Join(dir, "environment"):      "TOKEN=secret\n",
		"/run/systemd/system/an-agent.service": text,
	} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	systemctl(t, "daemon-reload")
	systemctl(t, "start", "an-agent.service")
	lives := func() int {
		b, _ := os.ReadFile(filepath.Join(dir, "begun"))
		return strings.Count(string(b), `$HOME "%n" back\slash secret`+"\n")
	}
	eventually(t, "the agent runs", func() bool { return lives() == 1 })
	var proxy int
	eventually(t, "its proxy runs", func() bool {
		b, _ := os.ReadFile(filepath.Join(dir, "proxy"))
		proxy, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		return proxy > 0
	})
	main, err := strconv.Atoi(strings.TrimSpace(systemctl(t, "show", "--property=MainPID", "--value", "an-agent.service")))
	if err != nil || main <= 1 {
		t.Fatalf("its process is %d, %v", main, err)
	}
	if err := syscall.Kill(main, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the agent runs again", func() bool { return lives() == 2 })
	if err := syscall.Kill(proxy, 0); err != nil {
		t.Errorf("the proxy does not run any more: %v", err)
	}
}

func systemctl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("systemctl", args...).Output()
	if err != nil {
		t.Fatalf("systemctl %v: %v\n%s", args, err, out)
	}
	return string(out)
}
