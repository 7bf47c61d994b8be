package form

import "testing"

func TestNearest_TakesSwappedLettersForOneMistake(t *testing.T) {
	names := []string{"shop", "cart", "production"}
	for word, want := range map[string]string{
		"shpo": "shop", "sohp": "shop", "hsop": "shop", "sop": "shop", "shopp": "shop", "shup": "shop",
		"catr": "cart", "porduciton": "production", "pohs": "", "order": "", "": "",
	} {
		if got := Nearest(word, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
