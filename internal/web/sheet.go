package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/engine"
)

// A sheet is a page that looks the same to everybody. It is kept drawn, in parts: what an event
// changes is drawn once, however many look at it, and nothing is drawn while nobody does.
type sheet struct {
	engine *engine.Engine
	epoch  int64 // tells the editions of this process from those of others, whose templates may differ
	// about says whether what happened to these services can change the page; nil: it always can.
	about func(services map[andon.ServiceName]bool) bool
	// draw draws the parts that these services have, and those that belong to none; everything: all
	// parts, in the order of the page. With parts of a history that is late it returns errLate.
	draw func(ctx context.Context, services map[andon.ServiceName]bool, everything bool) ([]drawn, error)
	// frame draws the page around its parts, which come in the order of the page.
	frame func(parts []drawn, edition string) ([]byte, error)
	// fixed says that the page always has the same parts, so that a reader of an edition from before
	// this drawing needs only what changed since.
	fixed bool

	mu       sync.Mutex
	position andon.Seq // of the journal that the drawing shows at least
	revision andon.Seq // the position at which a part last changed
	set      andon.Seq // the position at which parts came or went
	late     bool      // the history that the drawing shows had not every event up to that position
	order    []string
	parts    map[string]kept
	packed   map[bool]packed     // by whether it is compressed
	events   map[andon.Seq]event // of this revision, by the one that a reader has
}

// mostEvents bounds the events that a sheet keeps for its readers: most of them have the same
// revision.
const mostEvents = 16

// An event is what a reader is told of changes, as text and compressed.
type event struct{ text, packed []byte }

func newEvent(text []byte) event { return event{text, packEvent(text)} }

// errOtherParts is what draw returns when the page has parts now that it had not, or lacks some: all
// of it is to be drawn.
var errOtherParts = errors.New("the page has other parts now")

// errLate is what draw returns besides the parts when the history that they show is late: they are to be
// drawn again.
var errLate = errors.New("the history is late")

// A drawn part has the ID of its element in the page.
type drawn struct {
	id   string
	html template.HTML
}

// part draws one part with a template.
func part(t *template.Template, id, name string, data any) drawn {
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, name, data); err != nil {
		panic("web: a template does not fit its data: " + err.Error())
	}
	return drawn{id, template.HTML(b.String())} //nolint:gosec // a template of this package escaped it
}

// A kept part is one as of when it last changed.
type kept struct {
	html     template.HTML
	revision andon.Seq
}

// A packed page is a whole answer.
type packed struct {
	revision andon.Seq
	body     []byte
}

// An edition names what a reader has: the position of the journal up to which it was told of
// changes, or more where something was drawn again at the same position.
func (s *sheet) edition() string { return fmt.Sprintf("%d-%d", s.epoch, s.revision) }

// refresh draws what events have changed since the last time. The channel is closed when there is
// something new. s.mu is held.
func (s *sheet) refresh(ctx context.Context) (news <-chan struct{}, err error) {
	events, complete, news := s.engine.Recent(s.position)
	everything := s.parts == nil || !complete || s.late
	if !everything && len(events) == 0 {
		return news, nil
	}
	position := s.engine.Head() // what is drawn shows at least this
	services := map[andon.ServiceName]bool{}
	for _, e := range events {
		some, all := touched(e)
		everything = everything || all
		for _, name := range some {
			services[name] = true
		}
	}
	if everything || s.about == nil || s.about(services) {
		parts, err := s.draw(ctx, services, everything)
		if errors.Is(err, errOtherParts) {
			everything = true
			parts, err = s.draw(ctx, nil, true)
		}
		if s.late = errors.Is(err, errLate); err != nil && !s.late {
			return nil, err
		}
		s.take(parts, everything, max(position, s.revision+1))
	}
	s.position = position
	since, complete, news := s.engine.Recent(position)
	if len(since) > 0 || !complete || s.late {
		return closed, nil // what happened while it was drawn, or what the history lacked, is news already
	}
	return news, nil
}

// closed is a channel for who need not wait. It never changes.
var closed = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// take puts parts into the sheet that were drawn at a position. Those that look as before keep
// their revision.
func (s *sheet) take(parts []drawn, everything bool, next andon.Seq) {
	changed := false
	if s.parts == nil {
		s.parts, s.packed, s.events = map[string]kept{}, map[bool]packed{}, map[andon.Seq]event{}
	}
	for _, d := range parts {
		if old, known := s.parts[d.id]; !known || old.html != d.html {
			s.parts[d.id] = kept{d.html, next}
			changed = true
		}
	}
	if everything {
		changed = s.reorder(parts, next) || changed
	}
	if changed {
		s.revision = next
		clear(s.events)
	}
}

// reorder makes the parts those of a complete drawing, and returns whether some came or went.
func (s *sheet) reorder(parts []drawn, next andon.Seq) bool {
	same := len(parts) == len(s.order)
	order := make([]string, 0, len(parts))
	for i, d := range parts {
		order = append(order, d.id)
		same = same && s.order[i] == d.id
	}
	if same {
		return false
	}
	now := make(map[string]kept, len(parts))
	for _, id := range order {
		now[id] = s.parts[id]
	}
	s.order, s.parts = order, now
	if !s.fixed {
		s.set = next
	}
	return true
}

// whole returns the page as of now.
func (s *sheet) whole(ctx context.Context, compressed bool) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.refresh(ctx); err != nil {
		return nil, err
	}
	if p, ok := s.packed[compressed]; ok && p.revision == s.revision {
		return p.body, nil
	}
	parts := make([]drawn, 0, len(s.order))
	for _, id := range s.order {
		parts = append(parts, drawn{id, s.parts[id].html})
	}
	body, err := s.frame(parts, s.edition())
	if err != nil {
		return nil, err
	}
	if compressed {
		body = pack(body, gzip.BestSpeed)
	}
	s.packed[compressed] = packed{s.revision, body}
	return body, nil
}

// since returns what has changed since an edition, as the data of one server-sent event; none if
// nothing has. A reader of another set of parts is told to load the page again. The channel is
// closed when it is worth asking again.
func (s *sheet) since(ctx context.Context, edition string) (told event, now string, news <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if news, err = s.refresh(ctx); err != nil {
		return event{}, edition, nil, err
	}
	now = s.edition()
	epoch, revision, ok := cutEdition(edition)
	switch {
	case !ok || epoch != s.epoch || revision < s.set || revision > s.revision:
		return newEvent(fmt.Appendf(nil, "event: anew\nid: %s\ndata: {}\n\n", now)), now, news, nil
	case revision == s.revision:
		return event{}, now, news, nil
	}
	if told, known := s.events[revision]; known {
		return told, now, news, nil
	}
	changes := map[string]template.HTML{}
	for id, p := range s.parts {
		if p.revision > revision {
			changes[id] = p.html
		}
	}
	var data bytes.Buffer
	encoder := json.NewEncoder(&data)
	encoder.SetEscapeHTML(false) // it is HTML
	if err := encoder.Encode(changes); err != nil {
		return event{}, edition, nil, fmt.Errorf("web: %w", err)
	}
	told = newEvent(fmt.Appendf(nil, "event: parts\nid: %s\ndata: %s\n\n", now, bytes.TrimSpace(data.Bytes())))
	if len(s.events) < mostEvents {
		s.events[revision] = told
	}
	return told, now, news, nil
}

func cutEdition(text string) (epoch int64, revision andon.Seq, ok bool) {
	before, after, found := strings.Cut(text, "-")
	epoch, err := strconv.ParseInt(before, 10, 64)
	if err != nil || !found {
		return 0, 0, false
	}
	position, err := strconv.ParseInt(after, 10, 64)
	return epoch, andon.Seq(position), err == nil
}
