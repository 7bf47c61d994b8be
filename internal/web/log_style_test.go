package web

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"testing"
)

var (
	paletteRule = regexp.MustCompile(`(?m)^((?:\.[fb]\d+|\.faint)(?:, \.b\d+)*) \{ (?:color|background): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\); \}`)
	classWord   = regexp.MustCompile(`\.(\w+)`)
	variable    = regexp.MustCompile(`--(paper|ink|band|marked): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)`)
)

// luminance is the relative luminance of WCAG 2.2.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	part := func(i int) float64 {
		n, err := strconv.ParseUint(hex[i:i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*part(1) + 0.7152*part(3) + 0.0722*part(5)
}

func TestLogColors_CanBeReadOnEachOther(t *testing.T) {
	t.Parallel()
	letters, grounds := map[string][2]string{}, map[string][2]string{}
	for _, file := range []string{"static/style.css", "static/log.css"} {
		sheet, err := files.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range variable.FindAllStringSubmatch(string(sheet), -1) {
			if m[1] == "ink" {
				letters[m[1]] = [2]string{m[2], m[3]}
			} else {
				grounds[m[1]] = [2]string{m[2], m[3]}
			}
		}
		for _, m := range paletteRule.FindAllStringSubmatch(string(sheet), -1) {
			for _, class := range classWord.FindAllStringSubmatch(m[1], -1) {
				if class[1][0] == 'b' {
					grounds[class[1]] = [2]string{m[2], m[3]}
				} else {
					letters[class[1]] = [2]string{m[2], m[3]}
				}
			}
		}
	}
	for i := range 16 {
		if _, ok := letters[fmt.Sprintf("f%d", i)]; !ok {
			t.Errorf("the color %d has no class", i)
		}
		if _, ok := grounds[fmt.Sprintf("b%d", i)]; !ok {
			t.Errorf("the background %d has no class", i)
		}
	}
	if len(letters) != 18 || len(grounds) != 19 {
		t.Fatalf("%d colors on %d backgrounds", len(letters), len(grounds))
	}
	for letter, inks := range letters {
		for ground, papers := range grounds {
			for theme, name := range []string{"light", "dark"} {
				a, b := luminance(t, inks[theme]), luminance(t, papers[theme])
				if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < 4.5 {
					t.Errorf("%s on %s, %s: a contrast of %.2f", letter, ground, name, ratio)
				}
			}
		}
	}
}
