package andon

// A Verdict is what a comparison of a new group with the old one found.
type Verdict string

// The verdicts.
const (
	VerdictOpen  Verdict = "open"  // too few requests to say
	VerdictAlike Verdict = "alike" // no difference that counts
	VerdictWorse Verdict = "worse" // the new group is worse: its deployment fails
)

// Verdicts lists every verdict.
func Verdicts() []Verdict { return []Verdict{VerdictOpen, VerdictAlike, VerdictWorse} }

// A Judgement is a verdict with the numbers that led to it.
type Judgement struct {
	Verdict Verdict    `json:"verdict"`
	Reason  string     `json:"reason"`
	Look    int        `json:"look"` // the number of the look that found it, from 0
	Before  GroupStats `json:"before"`
	After   GroupStats `json:"after"`
}
