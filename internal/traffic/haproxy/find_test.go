package haproxy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic/haproxy"
)

func TestFind_RefusesWhatIsNoHAProxyOrTooOld(t *testing.T) {
	dir := t.TempDir()
	program := func(name, says string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\necho '"+says+"'\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, one := range []struct{ program, wants string }{
		{filepath.Join(dir, "nothing"), "There is no program"},
		{program("other", "nginx version: nginx/1.22.1"), "does not say that it is a HAProxy"},
		{program("old", "HA-Proxy version 2.0.13-2ubuntu0.3 2021/08/27 - https://haproxy.org/"), "too old"},
		{program("nearly", "HAProxy version 2.5.9-1 2022/09/24"), "too old"},
	} {
		_, _, err := haproxy.Find(t.Context(), one.program)
		if andon.KindOf(err) != andon.KindInvalid || !strings.Contains(err.Error(), one.wants) {
			t.Errorf("%s: %v; want %q", one.program, err, one.wants)
		}
	}
	for says, want := range map[string]string{
		"HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/": "2.6.12-1+deb12u4",
		"HAProxy version 3.0.2 2024/06/14 - https://haproxy.org/":            "3.0.2",
	} {
		path := program("good", says)
		if got, version, err := haproxy.Find(t.Context(), path); got != path || version != want || err != nil {
			t.Errorf("%s: %s, %s, %v", says, got, version, err)
		}
	}
}
