package cli

import "testing"

func TestNearest_TakesSwappedLettersForOneMistake(t *testing.T) {
	names := []string{"shop", "cart", "production"}
	for word, want := range map[string]string{
		"shpo": "shop", "sohp": "shop", "hsop": "shop", "sop": "shop", "shopp": "shop", "shup": "shop",
		"catr": "cart", "porduciton": "production", "pohs": "", "order": "", "": "",
	} {
		if got := nearest(word, names); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
