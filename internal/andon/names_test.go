package andon

import (
	"strings"
	"testing"
)

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "shop": true, "shop-2": true, "a1-b2-c3": true, strings.Repeat("a", 39): true, strings.Repeat("a-", 19) + "b": true,
		"": false, "Shop": false, "2shop": false, "-shop": false, "shop-": false, "shop--2": false, "shop_2": false, "shöp": false,
		"shop\n": false, strings.Repeat("a", 40): false, strings.Repeat("a-", 20) + "b": false,
	} {
		if ValidName(name) != want {
			t.Errorf("ValidName(%q) = %t", name, !want)
		}
	}
}

func TestCommitsAndDigests_HaveSoManyHexadecimalDigits(t *testing.T) {
	digits := func(n int) string { return strings.Repeat("0123456789abcdef", 5)[:n] }
	for n := range 70 {
		if got, want := CommitID(digits(n)).Valid(), n == 40 || n == 64; got != want {
			t.Errorf("a commit of %d digits: %t", n, got)
		}
		if got, want := BeginsCommit(digits(n)), n >= 4 && n <= 64; got != want {
			t.Errorf("the beginning of a commit, of %d digits: %t", n, got)
		}
		if got, want := Digest("sha256:"+digits(n)).Valid(), n == 64; got != want {
			t.Errorf("a digest of %d digits: %t", n, got)
		}
	}
	for _, wrong := range []string{strings.ToUpper(digits(40)), digits(39) + "g", digits(39) + "\n", " " + digits(39)} {
		if CommitID(wrong).Valid() || BeginsCommit(wrong) {
			t.Errorf("%q is a commit", wrong)
		}
	}
	for _, wrong := range []Digest{Digest(digits(64)), "sha512:" + Digest(digits(64)), "sha256:" + Digest(digits(63)) + "\n"} {
		if wrong.Valid() {
			t.Errorf("%q is a digest", wrong)
		}
	}
}
