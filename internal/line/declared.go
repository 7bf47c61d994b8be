package line

import "github.com/andon-cd/andon/internal/andon"

// Declared returns how many environments there are, and how many of them a commit of the estate's
// repository declares: all or none. Files that somebody handed over are in no repository that the
// plant knows.
func (s *State) Declared() (declared, all int) {
	all = len(s.Environments)
	if s.Estate == nil || s.Estate.Origin != andon.EstatePushed && s.Estate.Origin != andon.EstateWatched {
		return 0, all
	}
	return all, all
}
