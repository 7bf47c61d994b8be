package secret

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
)

func TestStore_KeepsACredentialForItsUserAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := Credential{Token: "t0ken", Hook: "h00k"}
	if err := s.Put("shop", want); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get("shop"); err != nil || got != want {
		t.Errorf("Get = %+v, %v", got, err)
	}
	for _, name := range []string{"", "shop.json"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is open to others: %v", info.Name(), info.Mode())
		}
	}
}

func TestStore_ForgetsWhatIsDeleted(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Put("shop", Credential{Token: "t"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete("shop"); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get("shop"); err != nil || got != (Credential{}) {
		t.Errorf("after Delete, Get = %+v, %v", got, err)
	}
}

func TestStore_RefusesANameThatLeavesItsDirectory(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Put("../admin", Credential{Token: "t"}); andon.KindOf(err) != andon.KindInvalid {
		t.Errorf("Put = %v, want an error of kind invalid", err)
	}
}
