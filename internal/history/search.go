package history

import (
	"context"
	"database/sql"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/andon-cd/andon/internal/andon"
)

const (
	// LongestSearch bounds what is searched for, in bytes, and mostWords its words.
	LongestSearch = 200
	mostWords     = 8
	// mostFound bounds what is found of each kind.
	mostFound = 10
	// exactPrefix is how many digits of a commit or a digest mean that one and no other, when they
	// fit just one.
	exactPrefix = 7
)

// A FoundKind says by what something was found.
type FoundKind string

// By what things are found, in the order in which they are listed.
const (
	FoundVersion    FoundKind = "version"    // by its service and number
	FoundDeployment FoundKind = "deployment" // by its ID
	FoundService    FoundKind = "service"    // by its name, or a part of it
	FoundCommit     FoundKind = "commit"     // a version, by the beginning of its commit
	FoundArtifact   FoundKind = "artifact"   // a version, by the beginning of its artifact's digest
	FoundTicket     FoundKind = "ticket"     // a version, by a ticket that its message names
	FoundPerson     FoundKind = "person"     // a version, by its author
	FoundMessage    FoundKind = "message"    // a version, by words of its message
)

// FoundKinds lists all kinds, in the order in which they are listed.
func FoundKinds() []FoundKind {
	return []FoundKind{FoundVersion, FoundDeployment, FoundService, FoundCommit, FoundArtifact, FoundTicket, FoundPerson, FoundMessage}
}

// A Found is one thing that a search found: Service, Deployment or Version is set, as its kind says.
type Found struct {
	Kind       FoundKind
	Exact      bool // it is what was asked for, and not only like it
	Service    andon.ServiceName
	Deployment *DeploymentSummary
	Version    *VersionSummary
}

// A search collects what is found. Each version is found once.
type search struct {
	h     *History
	ctx   context.Context
	text  string
	found []Found
	seen  map[andon.VersionRef]bool
	err   error
}

// Search finds what a text names: "shop 12" or "shop@12", the ID of a deployment or of its place, a
// service, the beginning of a commit or a digest, a ticket (ABC-123, #123), and words of authors and
// messages. Of each kind it returns at most ten, the exact ones first and then the newest; more says
// of which kinds there are more. Services that were removed are found by what they left.
func (h *History) Search(ctx context.Context, text string) (found []Found, more []FoundKind, err error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return nil, nil, andon.Errorf(andon.KindInvalid, "there is nothing to search for").
			WithHint("give a version (shop 12), a commit, a ticket, a digest, a person, a service, or words of a message")
	case len(text) > LongestSearch:
		return nil, nil, andon.Errorf(andon.KindInvalid, "what is searched for is longer than %d bytes", LongestSearch).
			WithHint("a commit, a ticket or a few words are enough")
	}
	s := &search{h: h, ctx: ctx, text: text, seen: map[andon.VersionRef]bool{}}
	for _, kind := range []func(){s.version, s.deployments, s.services, s.commits, s.artifacts, s.tickets, s.words} {
		if kind(); s.err != nil {
			return nil, nil, s.err
		}
	}
	for _, kind := range FoundKinds() {
		n := 0
		s.found = slices.DeleteFunc(s.found, func(f Found) bool {
			if f.Kind == kind {
				n++
			}
			return f.Kind == kind && n > mostFound
		})
		if n > mostFound {
			more = append(more, kind)
		}
	}
	slices.SortStableFunc(s.found, func(a, b Found) int {
		switch {
		case a.Exact == b.Exact:
			return 0
		case a.Exact:
			return -1
		default:
			return 1
		}
	})
	return s.found, more, nil
}

var versionText = regexp.MustCompile(`^([a-z][a-z0-9-]*)[@#:\s]\s*[#v]?([0-9]{1,18})$`)

func (s *search) version() {
	m := versionText.FindStringSubmatch(strings.ToLower(s.text))
	if m == nil {
		return
	}
	n, err := strconv.ParseInt(m[2], 10, 64)
	if err == nil {
		s.add(FoundVersion, true, andon.VersionRef{Service: andon.ServiceName(m[1]), Number: andon.VersionNumber(n)})
	}
}

// add adds a version, unless it was found already, or is not there.
func (s *search) add(kind FoundKind, exact bool, refs ...andon.VersionRef) {
	for _, ref := range refs {
		if s.err != nil || s.seen[ref] {
			continue
		}
		v, err := s.h.versionSummary(s.ctx, ref)
		switch {
		case andon.KindOf(err) == andon.KindNotFound:
		case err != nil:
			s.err = err
		default:
			s.seen[ref] = true
			s.found = append(s.found, Found{Kind: kind, Exact: exact, Version: &v})
		}
	}
}

var placeText = regexp.MustCompile(`^([a-z][a-z0-9-]*)\.([a-z][a-z0-9-]*)(?:\.([0-9]{1,18}))?$`)

func (s *search) deployments() {
	m := placeText.FindStringSubmatch(strings.ToLower(s.text))
	if m == nil {
		return
	}
	where, args := `service = ? AND environment = ?`, []any{m[1], m[2]}
	if m[3] != "" {
		where, args = `id = ?`, []any{m[0]}
	}
	all, err := query(s.ctx, s.h.store, scanDeployment, selectDeployment+`WHERE `+where+` ORDER BY seq DESC LIMIT ?`, append(args, mostFound+1)...)
	s.err = err
	for _, d := range all {
		s.found = append(s.found, Found{Kind: FoundDeployment, Exact: m[3] != "", Deployment: &d.DeploymentSummary})
	}
}

func (s *search) services() {
	name := strings.ToLower(s.text)
	names, err := query(s.ctx, s.h.store, func(r *sql.Rows) (name andon.ServiceName, err error) { return name, r.Scan(&name) },
		`SELECT name FROM service WHERE removed = 0 AND instr(name, ?1) > 0 ORDER BY name <> ?1, instr(name, ?1) > 1, name LIMIT ?2`, name, mostFound+1)
	s.err = err
	for _, n := range names {
		s.found = append(s.found, Found{Kind: FoundService, Exact: string(n) == name, Service: n})
	}
}

// refs returns the versions that a query gives.
func (s *search) refs(text string, args ...any) []andon.VersionRef {
	found, err := query(s.ctx, s.h.store, func(r *sql.Rows) (v andon.VersionRef, err error) {
		return v, r.Scan(&v.Service, &v.Number)
	}, text, args...)
	s.err = err
	return found
}

func (s *search) commits() {
	prefix := strings.ToLower(s.text)
	if !andon.BeginsCommit(prefix) {
		return
	}
	// "g" sorts behind every hexadecimal digit, so the range holds all that begin with the prefix.
	refs := s.refs(`SELECT service, number FROM version INDEXED BY version_by_commit
		WHERE commit_id >= ? AND commit_id < ? ORDER BY commit_id, service, number DESC LIMIT ?`, prefix, prefix+"g", mostFound+1)
	s.add(FoundCommit, len(refs) == 1 && len(prefix) >= exactPrefix, refs...)
}

func (s *search) artifacts() {
	digits := strings.TrimPrefix(strings.ToLower(s.text), "sha256:")
	if !andon.BeginsCommit(digits) {
		return
	}
	prefix := "sha256:" + digits
	refs := s.refs(`SELECT service, number FROM version INDEXED BY version_by_artifact
		WHERE artifact >= ? AND artifact < ? AND artifact <> '' ORDER BY artifact, service, number DESC LIMIT ?`, prefix, prefix+"g", mostFound+1)
	s.add(FoundArtifact, len(refs) == 1 && len(digits) >= exactPrefix, refs...)
}

func (s *search) tickets() {
	for _, ticket := range andon.TicketsIn(strings.ToUpper(s.text)) {
		if len(ticket) != len(s.text) {
			continue // it is one of several words
		}
		refs := s.refs(`SELECT service, number FROM ticket WHERE ticket = ? ORDER BY seq DESC LIMIT ?`, ticket, mostFound+1)
		s.add(FoundTicket, true, refs...)
	}
}

// words finds authors and messages by their words; where none has them, by the beginnings of words.
// That reads all that begin so before the newest are known, so it comes second.
func (s *search) words() {
	var terms []string
	for _, word := range strings.FieldsFunc(s.text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }) {
		if len(terms) < mostWords {
			terms = append(terms, `"`+word+`"`)
		}
	}
	if len(terms) == 0 || len(terms) == 1 && len(terms[0]) < len(`"ab"`) {
		return // one letter finds everything
	}
	before := len(s.found)
	if s.wordsLike(strings.Join(terms, " AND ")); s.err == nil && len(s.found) == before {
		s.wordsLike(strings.Join(terms, "* AND ") + "*")
	}
}

func (s *search) wordsLike(terms string) {
	for _, in := range []struct {
		kind   FoundKind
		column string
	}{{FoundPerson, "author"}, {FoundMessage, "subject"}} {
		refs := s.refs(`SELECT m.service, m.number FROM (SELECT rowid AS seq FROM words WHERE words MATCH ? ORDER BY rowid DESC LIMIT ?) w
			JOIN mention m ON m.seq = w.seq ORDER BY m.seq DESC`, in.column+` : (`+terms+`)`, mostFound+1)
		s.add(in.kind, false, refs...)
		if s.err != nil {
			return
		}
	}
}

// versionMentions keeps what a version is searched by.
func (r recorder) versionMentions(b andon.VersionCreated) error {
	err := r.exec(`INSERT INTO mention (seq, service, number) VALUES (?, ?, ?)`, r.event.Seq, b.Version.Service, b.Version.Number)
	if err == nil {
		err = r.exec(`INSERT INTO words (rowid, author, subject) VALUES (?, ?, ?)`, r.event.Seq, b.Author, b.Subject)
	}
	for _, ticket := range b.Tickets {
		if err == nil {
			err = r.exec(`INSERT INTO ticket (ticket, seq, service, number) VALUES (?, ?, ?, ?)`, ticket, r.event.Seq, b.Version.Service, b.Version.Number)
		}
	}
	return err
}
