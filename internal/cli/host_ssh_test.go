package cli

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
)

func TestDistant_TakesNoAddressThatWouldBeAnOption(t *testing.T) {
	for text, want := range map[string]distant{
		"ssh://web1":                            {host: "web1"},
		"ssh://root@web1.example.com/":          {user: "root", host: "web1.example.com"},
		"ssh://deploy@10.0.0.7:2222":            {user: "deploy", host: "10.0.0.7", port: "2222"},
		"ssh://deploy@[fd00::1%25eth0]:22":      {},
		"ssh://deploy@[fd00::1]:22":             {user: "deploy", host: "fd00::1", port: "22"},
		"ssh://-oProxyCommand=x@web1":           {},
		"ssh://-oProxyCommand=x":                {},
		"ssh://root:secret@web1":                {},
		"ssh://root:secret@web1/etc":            {},
		"ssh://root:secret%zz@web1":             {},
		"ssh://root:se@cret@web 1":              {},
		"ssh://root@web1/etc":                   {},
		"ssh://root@web1?x":                     {},
		"ssh://root@web1:0":                     {},
		"ssh://root@web1:99999":                 {},
		"ssh://ro%20ot@web1":                    {},
		"ssh://root@we%0Ab1":                    {},
		"ssh://":                                {},
		"http://web1":                           {},
		"ssh://$(reboot)@web1":                  {},
		"ssh://root@web1;reboot":                {},
		"ssh://root@web1 -oProxyCommand=reboot": {},
	} {
		got, err := parseDistant(text)
		if got != want || (err == nil) != (want != distant{}) {
			if want != (distant{}) || err == nil {
				t.Errorf("%s: %+v, %v", text, got, err)
			}
		}
		if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "cret@")) {
			t.Errorf("%s: the error shows the password: %v", text, err)
		}
	}
}

func TestDistant_AsksNothingAndTrustsNoUnknownHost(t *testing.T) {
	args := distant{user: "deploy", host: "web1", port: "2222"}.args("echo 'hello'\n")
	for _, want := range []string{"BatchMode=yes", "StrictHostKeyChecking=yes", "ForwardAgent=no"} {
		if !slices.Contains(args, want) {
			t.Errorf("%q has no %s", args, want)
		}
	}
	if n := len(args); args[n-3] != "--" || args[n-2] != "web1" {
		t.Errorf("the host is not behind --: %q", args)
	}
	// The last word is what the shell on the host reads.
	out, err := exec.CommandContext(t.Context(), "sh", "-c", args[len(args)-1]).Output()
	if err != nil || string(out) != "hello\n" {
		t.Errorf("the script prints %q, %v", out, err)
	}
}

func TestDistant_ScriptsAreValid(t *testing.T) {
	for name, script := range map[string]string{"look": lookScript, "send": sendScript, "join": joinScript, "unit": unitScript, "start": startScript} {
		if out, err := exec.CommandContext(t.Context(), "sh", "-n", "-c", script).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}

func TestInstallation_RefusesAProgramThatDidNotArriveAsAWhole(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", sendScript)
	cmd.Stdin = strings.NewReader(lines(dir, "100") + "#!/bin/sh\n")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "did not arrive as a whole") {
		t.Errorf("%s, %v", out, err)
	}
	if left, err := exec.CommandContext(t.Context(), "ls", "-A", dir).Output(); err != nil || len(left) > 0 {
		t.Errorf("it leaves %q, %v", left, err)
	}
}

func TestInstallation_HasAUnitThatSystemdTakes(t *testing.T) {
	i := &installation{name: "web1", dir: "/usr/local/bin", data: "/var/lib/andon-agent/web1", options: []string{"--address", "10.0.0.7"}, system: foreign{root: true, systemd: true}}
	if i.unit() != "andon-agent-web1.service" {
		t.Errorf("its unit is %q", i.unit())
	}
	text, err := i.service().Render()
	if err != nil || !strings.Contains(text, `"/usr/local/bin/andon" "agent" "--data" "/var/lib/andon-agent/web1" "--address" "10.0.0.7"`) || strings.Contains(text, "join") {
		t.Errorf("%s, %v", text, err)
	}
	if i.system.root = false; i.unit() != "" {
		t.Error("without root it has a unit")
	}
}

func TestBeginning_KeepsNoMoreThanItsBound(t *testing.T) {
	said := &beginning{}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "head -c 100000 /dev/zero")
	cmd.Stdout = said
	if err := cmd.Run(); err != nil || len(said.String()) != maxSaid {
		t.Errorf("%d bytes were kept, %v", len(said.String()), err)
	}
}

func TestDistant_SaysWhatTheHostSaid(t *testing.T) {
	err := distant{user: "root", host: "web1"}.trouble("joining the plant", "Warning: x\nandon: the token of host web1 was used already\n  If that was not you, …", exec.ErrDot)
	if andon.KindOf(err) != andon.KindInvalid || !strings.Contains(err.Error(), "joining the plant on root@web1 failed: the token of host web1 was used already") {
		t.Error(err)
	}
}
