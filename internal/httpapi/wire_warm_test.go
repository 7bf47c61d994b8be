package httpapi

import (
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

func TestStatus_ShowsAWarmGroupApartFromWhatIsLive(t *testing.T) {
	until := time.Date(2026, 3, 2, 9, 10, 0, 0, time.UTC)
	place := andon.Place{Service: "shop", Environment: "production"}
	p := &line.Place{
		Place: place, Group: "shop.production.2", Live: &andon.Release{Version: 2},
		Desired: andon.Desired{Place: place, Copies: []andon.Copy{
			{ID: "shop.production.1.0", Group: "shop.production.1"}, {ID: "shop.production.2.0", Group: "shop.production.2"}, {ID: "shop.production.2.1", Group: "shop.production.2"},
		}},
		Warm: &andon.Warm{Group: "shop.production.1", Release: andon.Release{Version: 1}, Until: until},
	}
	s := line.New()
	s.Places[place.Key()] = p
	got := (&API{}).placeStatus(s, place, until.Add(-time.Minute))
	if w := got.Warm; w == nil || w.Version != 1 || w.Copies != 1 || !w.Until.Equal(until) {
		t.Errorf("warm is %+v", w)
	}
	if got.Copies.Wanted != 2 || got.Copies.Unattested != 2 {
		t.Errorf("of what is live it counts %+v", got.Copies)
	}
}
