package line

import (
	"unicode/utf8"

	"github.com/andon-cd/andon/internal/andon"
)

// LongestReason bounds, in characters, what a person says of why something is done: boards, pages,
// waits and every refusal of a push repeat it.
const LongestReason = 1000

// do decides a verb, unless what a person says with it is too long to be repeated everywhere.
func (d *decision) do(v Verb) error {
	if n := utf8.RuneCountInString(reasonOf(v)); n > LongestReason {
		return andon.Errorf(andon.KindInvalid, "the reason has %d characters, and may have %d", n, LongestReason).
			WithHint("say it in a sentence, and put the details where they can be linked to")
	}
	return v.decide(d)
}

// reasonOf returns what a person says with a verb; empty: nothing, or it takes no reason.
func reasonOf(v Verb) string {
	switch v := v.(type) {
	case RemoveService:
		return v.Reason
	case Promote:
		return v.Reason
	case Deploy:
		return v.Reason
	case Rollback:
		return v.Reason
	case Cancel:
		return v.Reason
	case PullCord:
		return v.Reason
	case ReleaseCord:
		return v.Reason
	case RemoveHost:
		return v.Reason
	default:
		return ""
	}
}
