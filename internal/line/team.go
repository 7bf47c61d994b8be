package line

import "github.com/andon-cd/andon/internal/andon"

// Team returns who is responsible for a service, as the newest version of its trunk that has a
// pipeline says; empty: nobody says.
func (svc *Service) Team() andon.TeamName {
	var newest *Version
	for _, v := range svc.Versions {
		if v.Trunk && v.Pipeline != nil && (newest == nil || v.Order > newest.Order) {
			newest = v
		}
	}
	if newest == nil {
		return ""
	}
	return newest.Pipeline.Team
}
