package pipeline

import (
	"slices"
	"strings"
)

// whyEnvName says what is wrong with the name of a variable.
func whyEnvName(s string) string {
	if s == "PORT" || strings.HasPrefix(s, "ANDON") {
		return "is reserved: Andon sets it itself"
	}
	return "is not a name of a variable"
}

// whyPath says what is wrong with a path in the checkout.
func whyPath(s string) string {
	switch {
	case strings.HasPrefix(s, "/"):
		return "is not relative to the checkout"
	case strings.Contains(s, `\`):
		return "contains a backslash"
	case slices.Contains(strings.Split(s, "/"), ".."):
		return "leaves the checkout"
	default:
		return "is not a path in the checkout"
	}
}
