package andon

// Maturity is what a version has earned on its way to production.
type Maturity string

// The maturities. A version starts in development and is promoted by stages that grant
// the next one; rejected and quarantined are final, except that a person may rerun a rejected one.
const (
	Development      Maturity = "development"
	ReleaseCandidate Maturity = "release-candidate"
	Certified        Maturity = "certified"
	Rejected         Maturity = "rejected"
	Quarantined      Maturity = "quarantined"
)

// Maturities lists every maturity, the earned ones in rising order first.
func Maturities() []Maturity {
	return []Maturity{Development, ReleaseCandidate, Certified, Rejected, Quarantined}
}

// AtLeast reports whether m is an earned maturity that is as high as want.
// A rejected or quarantined version reaches nothing.
func (m Maturity) AtLeast(want Maturity) bool { return m.rank() > 0 && m.rank() >= want.rank() }

func (m Maturity) rank() int {
	switch m {
	case Development:
		return 1
	case ReleaseCandidate:
		return 2
	case Certified:
		return 3
	default:
		return 0
	}
}
