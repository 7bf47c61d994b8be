package docker

import (
	"context"
	"errors"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
)

// told returns an error that says what could not be done, unless it says enough already.
func told(err error, what string) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if _, ok := errors.AsType[*andon.Error](err); ok {
		return err
	}
	if r, ok := errors.AsType[*refusal](err); ok {
		return andon.Errorf(andon.KindUnavailable, "%s: %s", what, firstLine(r.message)).Because(err)
	}
	return andon.Errorf(andon.KindUnavailable, "%s", what).Because(err)
}

// sentenceLimit bounds what is quoted of the Engine's words.
const sentenceLimit = 300

// firstLine returns what people may read of the Engine's words.
func firstLine(message string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	line = strings.TrimSuffix(line, ": unknown")
	if len(line) > sentenceLimit {
		line = strings.ToValidUTF8(line[:sentenceLimit], "") + "…"
	}
	return line
}
