package history_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
)

// foundWords writes what was found: "!commit shop 3" is exact.
func foundWords(found []history.Found) (all []string) {
	for _, f := range found {
		words := string(f.Kind) + " "
		switch {
		case f.Version != nil:
			words += f.Version.VersionRef.String()
		case f.Deployment != nil:
			words += string(f.Deployment.ID)
		default:
			words += string(f.Service)
		}
		if f.Exact {
			words = "!" + words
		}
		all = append(all, words)
	}
	return all
}

// searched is a history with something of each kind to find.
func searched(t *testing.T) *history.History {
	var s story
	s.begin()
	s.push(1, "main", andon.Succeeded)
	s.push(2, "main", andon.Succeeded)
	s.deploy(1, 1, 0, andon.Succeeded)
	s.deploy(2, 2, 1, andon.Succeeded)
	for n, about := range []struct{ author, subject string }{
		{"Åsa Lindström <asa@example.com>", "PAY-17: round down, fixes #9"},
		{"Bob O'Neil <bob@example.com>", `PAY-17 again; "quotes" AND (parens) OR NEAR*`},
		{"Ada", "Tidy up the café"},
	} {
		s.tell("git", andon.VersionCreated{Version: ref(3 + n), Commit: commit(30 + n), Branch: "main", Trunk: true, Author: about.author, Subject: about.subject, Tickets: andon.TicketsIn(about.subject)})
	}
	s.tell("admin", andon.ServiceAdded{Service: "workshop"})
	return told(t, &s)
}

func TestSearch_FindsWhatATextNames(t *testing.T) {
	t.Parallel()
	h := searched(t)
	for text, want := range map[string][]string{
		"shop 2":                           {"!version shop 2"},
		"shop@2":                           {"!version shop 2"},
		" Shop #2 ":                        {"!version shop 2"},
		"shop 99":                          nil,
		"nope 1":                           nil,
		"shop.production.2":                {"!deployment shop.production.2"},
		"shop.production":                  {"deployment shop.production.2", "deployment shop.production.1"},
		"shop":                             {"!service shop", "service workshop"},
		"work":                             {"service workshop"},
		string(commit(31)):                 {"!commit shop 4"},
		strings.ToUpper(string(commit(1))): {"!commit shop 1"},
		string(digest(2)):                  {"!artifact shop 2"},
		string(digest(2)[7:]):              {"!artifact shop 2"},
		"PAY-17":                           {"!ticket shop 4", "!ticket shop 3"},
		"pay-17":                           {"!ticket shop 4", "!ticket shop 3"},
		"#9":                               {"!ticket shop 3"},
		"#99":                              nil,
		"asa":                              {"person shop 3"},
		"Lindstr":                          {"person shop 3"},
		"o'neil":                           {"person shop 4"},
		"tidy cafe":                        {"message shop 5"},
		"round  DOWN":                      {"message shop 3"},
		`"quotes" AND (parens`:             {"message shop 4"},
		"*":                                nil,
		`'; DROP TABLE version; --`:        nil,
		"a":                                nil,
	} {
		found, more, err := h.Search(t.Context(), text)
		if err != nil || len(more) > 0 {
			t.Errorf("%q: %v, more %v", text, err, more)
		}
		if got := foundWords(found); !slices.Equal(got, want) && !(text == "a" && len(got) > 0) {
			t.Errorf("%q found %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"", "  ", strings.Repeat("x", 201)} {
		if _, _, err := h.Search(t.Context(), text); andon.KindOf(err) != andon.KindInvalid {
			t.Errorf("%.10q: %v", text, err)
		}
	}
}

func TestSearch_IsBoundedAndNewestFirst(t *testing.T) {
	t.Parallel()
	var s story
	s.begin()
	for n := 1; n <= 30; n++ {
		s.tell("git", andon.VersionCreated{Version: ref(n), Commit: andon.CommitID(fmt.Sprintf("abcdef%034x", n)), Branch: "main", Author: "Ada", Subject: "PAY-1 round", Tickets: []string{"PAY-1"}})
	}
	h := told(t, &s)
	for text, kind := range map[string]history.FoundKind{"round": history.FoundMessage, "PAY-1": history.FoundTicket, "abcdef": history.FoundCommit, "ada": history.FoundPerson} {
		found, more, err := h.Search(t.Context(), text)
		if err != nil || len(found) != 10 || !slices.Equal(more, []history.FoundKind{kind}) {
			t.Errorf("%s: %d found, more %v, %v", text, len(found), more, err)
			continue
		}
		if kind != history.FoundCommit && found[0].Version.Number != 30 {
			t.Errorf("%s: %v come first", text, foundWords(found))
		}
	}
}

// FuzzSearch: nothing that is typed breaks the query.
func FuzzSearch(f *testing.F) {
	var s story
	s.begin()
	s.push(1, "main", andon.Succeeded)
	h := told(f, &s)
	for _, text := range []string{"shop 1", `"`, "a OR b", "NEAR(a b)", "subject : x", "ß-1", "²", "e\u0301te", "\x00", "日本", "shop.production.1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, _, err := h.Search(t.Context(), text); err != nil && andon.KindOf(err) != andon.KindInvalid {
			t.Errorf("%q: %v", text, err)
		}
	})
}
