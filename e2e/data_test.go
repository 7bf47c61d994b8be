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
)

// refuses starts the server, which must end by itself with that code.
func (p *plant) refuses(code int, args ...string) result {
	p.T.Helper()
	all := append([]string{"server", "--data", p.Data, "--listen", "127.0.0.1:0", "--proxy", "127.0.0.1:0"}, args...)
	return p.Andon(all...).Wants(p.T, code, "a server that cannot start")
}

func TestData_HasOneServer(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	p.refuses(failed).Says(t, p.Data, "andon down")
	if _, message := p.Andon("--json", "server", "--data", p.Data, "--listen", "127.0.0.1:0", "--proxy", "127.0.0.1:0").Failure(t); !strings.Contains(message, "another andon server") {
		t.Errorf("the message is %q", message)
	}
	p.status() // the first one goes on
}

func TestData_IsPrivate(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	for _, name := range []string{"admin.token", "agent.token", "journal.db"} {
		info, err := os.Stat(filepath.Join(p.Data, name))
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
	p.refuses(failed, "--listen", l.Addr().String()).Says(t, l.Addr().String(), "--listen")
	p.refuses(failed, "--proxy", l.Addr().String()).Says(t, l.Addr().String(), "--proxy ADDR")
	p.refuses(failed, "--proxy", "192.0.2.1:80").Says(t, "192.0.2.1:80", "--proxy ADDR") // no address of this host
	p.Start()                                                                            // a refused start leaves nothing behind that hinders the next one
}

func TestData_OfANewerFormatIsRefused(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	p.Stop()
	format := filepath.Join(p.Data, "format")
	before, err := os.ReadFile(format)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(format, []byte("999\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.refuses(failed).Says(t, "newer version", "999")
	if err := os.WriteFile(format, before, 0o600); err != nil {
		t.Fatal(err)
	}
	p.Start()
}

var eventNumber = regexp.MustCompile(`event (\d+)`)

func TestJournal_ThatWasChangedOrTornIsRefusedWithTheEvent(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	shop := p.newShop()
	shop.ShipFirst()
	p.Stop()
	p.Andon("audit", "verify", "--data", p.Data).Wants(t, done, "andon audit verify").Says(t, "intact")
	whole := snapshot(t, p.Data)

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
		verify := p.Andon("audit", "verify", "--data", p.Data).Wants(t, failed, "andon audit verify of a changed journal")
		named := eventNumber.FindString(verify.Err)
		if named == "" {
			t.Fatalf("it does not name the event: %s", verify)
		}
		start := p.refuses(failed).Says(t, named)
		t.Logf("andon server: %s", strings.TrimSpace(start.Err))
	})
	t.Run("a lost end", func(t *testing.T) {
		for name, data := range whole {
			write(t, name, data)
			if strings.HasSuffix(name, "journal.db") {
				write(t, name, data[:len(data)/2])
			}
		}
		verify := p.Andon("audit", "verify", "--data", p.Data).Wants(t, failed, "andon audit verify of half a journal")
		start := p.refuses(failed)
		t.Logf("andon audit verify: %s\nandon server: %s", strings.TrimSpace(verify.Err), strings.TrimSpace(start.Err))
	})
	for name, data := range whole {
		write(t, name, data)
	}
	p.Start() // a refused start changes nothing
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
	shop.ShipFirst()
	live := shop.Ship("Second", files{"files/answer.txt": "hello 2\n"})
	file := filepath.Join(p.Home, "plant.backup")
	p.Andon("backup", file).Wants(t, done, "andon backup")
	p.Andon("backup", file).Wants(t, failed, "a backup over another one")
	p.Andon("restore", file, "--data", p.Data).Wants(t, failed, "restoring over a plant")

	there := newPlant(t)
	there.Andon("restore", file, "--data", there.Data).Wants(t, done, "andon restore")
	there.Andon("audit", "verify", "--data", there.Data).Wants(t, done, "andon audit verify of the backup")
	there.Start()
	until(t, "the restored plant brings up its copies", func() error {
		text, err := get(t, there.Proxy, "shop.localhost", "/")
		if err != nil && strings.Contains(err.Error(), "404") {
			t.Fatalf("the restored plant denies its service: %v", err)
		}
		if err == nil && text != "hello 2\n" {
			err = fmt.Errorf("it answers %q", text)
		}
		return err
	})
	if there.live("shop", "production") != live || there.Token != p.Token {
		t.Errorf("the restored plant is another one")
	}
	shop.plant, shop.Plant = there, there.Plant // its git goes on where it was
	third := shop.Ship("Third", files{"files/answer.txt": "hello 3\n"})
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
	torn.Andon("restore", file, "--data", torn.Data).Wants(t, failed, "restoring two thirds of a backup")
}

func TestDisk_ThatIsFullStopsNothingThatRunsAndIsRecoveredFrom(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	smallDisk(t, p.Data, "64m", p.End)
	p.Start()
	shop := p.newShop()
	shop.ShipFirst()
	p.idle()
	l := p.newLoad("shop.localhost", shopping)
	filler := filepath.Join(p.Data, "filler")
	fill(t, filler)
	shop.Commit("Too much", files{"files/answer.txt": "hello 2\n"})
	answer, _ := shop.TryPush("main")
	if answer.Code == done {
		t.Errorf("a push on a full disk succeeds: %s", answer)
	}
	p.Andon("cord", "pull", "--reason", "the disk is full").Wants(t, unreachable, "a command on a full disk").Says(t, "full")
	p.answers("shop.localhost", "hello 1\n")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	until(t, "the plant takes pushes again", func() error {
		if answer, _ := shop.TryPush("main"); answer.Code != done {
			return fmt.Errorf("%s", answer)
		}
		return nil
	})
	p.Wait("shop", "live:production")
	p.answers("shop.localhost", "hello 2\n")
	l.stop()
	l.intact()
}
