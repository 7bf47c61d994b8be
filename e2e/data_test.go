package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// refuses starts the server, which must end by itself with that code.
func (p *plant) refuses(code int, args ...string) result {
	p.t.Helper()
	all := append([]string{"server", "--data", p.data, "--listen", "127.0.0.1:0", "--proxy", "127.0.0.1:0"}, args...)
	return p.andon(all...).wants(p.t, code, "a server that cannot start")
}

func TestData_HasOneServer(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	p.refuses(failed).says(t, p.data, "andon down")
	if _, message := p.andon("--json", "server", "--data", p.data, "--listen", "127.0.0.1:0", "--proxy", "127.0.0.1:0").failure(t); !strings.Contains(message, "another andon server") {
		t.Errorf("the message is %q", message)
	}
	p.status() // the first one goes on
}

func TestData_IsPrivate(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	for _, name := range []string{"admin.token", "agent.token", "journal.db"} {
		info, err := os.Stat(filepath.Join(p.data, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want mode 0600", name, info.Mode(), err)
		}
	}
}

func TestListen_OnAPortInUseSaysSo(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := newPlant(t)
	p.refuses(failed, "--listen", l.Addr().String()).says(t, l.Addr().String(), "--listen")
	p.refuses(failed, "--proxy", l.Addr().String()).says(t, l.Addr().String(), "--proxy ADDR")
	p.refuses(failed, "--proxy", "192.0.2.1:80").says(t, "192.0.2.1:80", "--proxy ADDR") // no address of this host
	p.start()                                                                            // a refused start leaves nothing behind that hinders the next one
}

func TestData_OfANewerFormatIsRefused(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	p.stop()
	format := filepath.Join(p.data, "format")
	before, err := os.ReadFile(format)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(format, []byte("999\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.refuses(failed).says(t, "newer version", "999")
	if err := os.WriteFile(format, before, 0o600); err != nil {
		t.Fatal(err)
	}
	p.start()
}

var eventNumber = regexp.MustCompile(`event (\d+)`)

func TestJournal_ThatWasChangedOrTornIsRefusedWithTheEvent(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	shop := p.newShop()
	shop.shipFirst()
	p.stop()
	p.andon("audit", "verify", "--data", p.data).wants(t, done, "andon audit verify").says(t, "intact")
	whole := snapshot(t, p.data)

	t.Run("a changed byte", func(t *testing.T) {
		flipped := false
		for name, data := range whole {
			changed := bytes.ReplaceAll(data, []byte("Open the shop"), []byte("Open the shoq"))
			flipped = flipped || !bytes.Equal(changed, data)
			write(t, name, changed)
		}
		if !flipped {
			t.Fatal("the journal does not contain the subject of the commit")
		}
		verify := p.andon("audit", "verify", "--data", p.data).wants(t, failed, "andon audit verify of a changed journal")
		named := eventNumber.FindString(verify.err)
		if named == "" {
			t.Fatalf("it does not name the event: %s", verify)
		}
		start := p.refuses(failed).says(t, named)
		t.Logf("andon server: %s", strings.TrimSpace(start.err))
	})
	t.Run("a lost end", func(t *testing.T) {
		for name, data := range whole {
			write(t, name, data)
			if strings.HasSuffix(name, "journal.db") {
				write(t, name, data[:len(data)/2])
			}
		}
		verify := p.andon("audit", "verify", "--data", p.data).wants(t, failed, "andon audit verify of half a journal")
		start := p.refuses(failed)
		t.Logf("andon audit verify: %s\nandon server: %s", strings.TrimSpace(verify.err), strings.TrimSpace(start.err))
	})
	for name, data := range whole {
		write(t, name, data)
	}
	p.start() // a refused start changes nothing
	p.answers("shop.localhost", "hello 1\n")
}

// snapshot returns the files of the journal.
func snapshot(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "journal.db*"))
	if err != nil || len(names) == 0 {
		t.Fatalf("there is no journal: %v", err)
	}
	all := map[string][]byte{}
	for _, name := range names {
		if all[name], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestBackup_RestoresAPlantElsewhere(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	shop := p.newShop()
	shop.shipFirst()
	live := shop.ship("Second", files{"files/answer.txt": "hello 2\n"})
	file := filepath.Join(p.home, "plant.backup")
	p.andon("backup", file).wants(t, done, "andon backup")
	p.andon("backup", file).wants(t, failed, "a backup over another one")
	p.andon("restore", file, "--data", p.data).wants(t, failed, "restoring over a plant")

	there := newPlant(t)
	there.andon("restore", file, "--data", there.data).wants(t, done, "andon restore")
	there.andon("audit", "verify", "--data", there.data).wants(t, done, "andon audit verify of the backup")
	there.start()
	until(t, 30*time.Second, "the restored plant brings up its copies", func() error {
		text, err := get(t, there.proxy, "shop.localhost", "/")
		if err != nil && strings.Contains(err.Error(), "404") {
			t.Fatalf("the restored plant denies its service: %v", err)
		}
		if err == nil && text != "hello 2\n" {
			err = fmt.Errorf("it answers %q", text)
		}
		return err
	})
	if there.live("shop", "production") != live || there.token != p.token {
		t.Errorf("the restored plant is another one")
	}
	shop.plant = there // its git goes on where it was
	third := shop.ship("Third", files{"files/answer.txt": "hello 3\n"})
	if third != live+1 {
		t.Errorf("after version %d comes version %d", live, third)
	}
	p.answers("shop.localhost", "hello 2\n")

	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, data[:len(data)-len(data)/3])
	torn := newPlant(t)
	torn.andon("restore", file, "--data", torn.data).wants(t, failed, "restoring two thirds of a backup")
}

func TestDisk_ThatIsFullStopsNothingThatRunsAndIsRecoveredFrom(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	smallDisk(t, p.data, "64m", p.end)
	p.start()
	shop := p.newShop()
	shop.shipFirst()
	l := p.newLoad("shop.localhost", shopping)
	filler := filepath.Join(p.data, "filler")
	fill(t, filler)
	shop.commit("Too much", files{"files/answer.txt": "hello 2\n"})
	answer, _ := shop.tryPush("main")
	if answer.code == done {
		t.Errorf("a push on a full disk succeeds: %s", answer)
	}
	p.andon("cord", "pull", "--reason", "the disk is full").wants(t, unreachable, "a command on a full disk").says(t, "full")
	p.answers("shop.localhost", "hello 1\n")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	until(t, 60*time.Second, "the plant takes pushes again", func() error {
		if answer, _ := shop.tryPush("main"); answer.code != done {
			return fmt.Errorf("%s", answer)
		}
		return nil
	})
	p.wait("shop", "live:production")
	p.answers("shop.localhost", "hello 2\n")
	l.stop()
	l.intact()
}
