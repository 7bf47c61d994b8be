package web_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/engine/enginetest"
	"github.com/andon-cd/andon/internal/line"
)

var liveOf = regexp.MustCompile(`data-live="([^"]*)" data-edition="([^"]*)"`)

// loaded returns the stream of a page, and the edition that it was loaded as.
func (s *site) loaded(path string) (stream, edition string) {
	s.t.Helper()
	body := s.page(path, http.StatusOK)
	found := liveOf.FindStringSubmatch(body)
	if found == nil {
		s.t.Fatalf("%s is not live:\n%s", path, body)
	}
	return found[1], found[2]
}

// position returns the position of the journal that an edition names.
func position(t *testing.T, edition string) andon.Seq {
	t.Helper()
	_, after, _ := strings.Cut(edition, "-")
	n, err := strconv.ParseInt(after, 10, 64)
	if err != nil {
		t.Fatalf("edition %q: %v", edition, err)
	}
	return andon.Seq(n)
}

func TestLivePage_SendsItsPartsThatChanged(t *testing.T) {
	s := twoServices(t)
	s.plant.Push(enginetest.Commit(2), "main", "Ada", "second thoughts", shopYAML)
	s.plant.Settle(nil)
	stream, edition := s.loaded("/services/shop/versions/1")
	next := s.follow(stream+"?after="+edition, "")
	s.plant.Push(enginetest.Commit(9), "main", "Ada", "of the other service", strings.Replace(shopYAML, "service: shop", "service: cart", 1))
	s.plant.Do(line.Rollback{Place: andon.Place{Service: "shop", Environment: "test"}, To: 1, Reason: "it was better"})
	s.plant.Settle(nil)
	first := next()
	if first.name != "parts" || len(first.parts) == 0 {
		t.Fatalf("a rollback sends %v", first)
	}
	for id, html := range first.parts {
		if !strings.Contains(html, `id="`+id+`"`) {
			t.Errorf("part %s is not the element of that ID: %s", id, html)
		}
		if strings.Contains(html, "of the other service") {
			t.Errorf("part %s shows another service: %s", id, html)
		}
	}

	// The connection is lost, and it goes on without it: what was missed comes at once.
	late := s.follow(stream+"?after="+edition, "")()
	if late.name != "parts" || len(late.parts) == 0 {
		t.Errorf("a reader who comes back gets %v", late)
	}
	if at := position(t, late.id); at <= position(t, edition) || at > s.plant.Engine.Head() {
		t.Errorf("the edition is %s after %s, and the journal is at %d", late.id, edition, s.plant.Engine.Head())
	}
}

func TestLivePage_GoesOnAfterItWasDroppedFromMemory(t *testing.T) {
	s := twoServices(t)
	stream, edition := s.loaded("/services/shop/versions/1")
	for i := range 100 { // more pages than are kept
		s.page(fmt.Sprintf("/services/shop/versions/%d", 1000+i), http.StatusNotFound)
	}
	s.plant.Do(line.AddService{Service: "basket"}) // the next drawing is of a later position
	if c := s.follow(stream+"?after="+edition, "")(); c.name != "parts" || !strings.Contains(c.parts["version-head"], ">shop</a> 1") {
		t.Errorf("a reader of an earlier drawing gets %v", c)
	}
	for _, of := range []string{"", "nonsense", "1-1", edition[:len(edition)-1] + "99999"} {
		if c := s.follow(stream+"?after="+of, "")(); c.name != "anew" {
			t.Errorf("edition %q gets %v", of, c)
		}
	}
}

func TestLivePage_OfWhatIsNotThereIsLoadedAnew(t *testing.T) {
	s := twoServices(t)
	if c := s.follow("/services/shop/versions/99/live?after=1-1", "")(); c.name != "anew" {
		t.Errorf("the stream of no version sends %v", c)
	}
}
