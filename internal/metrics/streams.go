package metrics

import (
	"cmp"
	"encoding/binary"
	"slices"
	"sort"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A Portion is how much of a change's lead time went into one thing in one step.
type Portion struct {
	Stage andon.StageName
	Cause Cause
	Took  time.Duration
}

// Portions adds the legs up by step and cause, in the order in which the change first came to each.
func (c *Change) Portions() []Portion {
	sums := make([]Portion, 0, len(c.Legs))
	for _, l := range c.Legs {
		i := slices.IndexFunc(sums, func(p Portion) bool { return p.Stage == l.Stage && p.Cause == l.Cause })
		if i < 0 {
			i, sums = len(sums), append(sums, Portion{Stage: l.Stage, Cause: l.Cause})
		}
		sums[i].Took += l.Took()
	}
	return sums
}

// Streams are the value streams of many changes, as the few numbers that their flow and their lead
// times need: 48 bytes for each change and 8 for each of its portions, times to the nanosecond.
// They are not safe for use by several goroutines at once, reading apart.
type Streams struct {
	streams  []stream // in the order of delivery
	took     []int64  // of the portions of all streams, in nanoseconds
	parts    names[partName]
	shapes   []shape // of streams; most have one of a few
	byParts  map[string]int
	services names[andon.ServiceName]
}

// A stream is one change.
type stream struct {
	delivered, lead int64 // in nanoseconds
	number          andon.VersionNumber
	first           int // of its portions
	shape, service  uint32
}

// A shape is the parts of a stream, in the order in which the change came to them.
type shape struct {
	parts []int
	work  []bool // which of them are work
}

// after reports whether the change was delivered later than another, or came later of those that
// one deployment delivered.
func (c *stream) after(d *stream) bool {
	return cmp.Or(cmp.Compare(c.delivered, d.delivered), cmp.Compare(c.number, d.number)) > 0
}

// A partName tells the parts of value streams apart.
type partName struct {
	stage andon.StageName
	cause Cause
}

// Names give numbers to names, of which there are few.
type names[T comparable] struct {
	all     []T
	numbers map[T]int
}

func (n *names[T]) number(name T) int {
	i, known := n.numbers[name]
	if !known {
		if n.numbers == nil {
			n.numbers = make(map[T]int)
		}
		i = len(n.all)
		n.all, n.numbers[name] = append(n.all, name), i
	}
	return i
}

// Add takes a change in. Changes mostly come in the order of delivery; then it is fast.
func (s *Streams) Add(v andon.VersionRef, delivered time.Time, portions []Portion) {
	c := stream{
		delivered: delivered.UnixNano(), number: v.Number, first: len(s.took),
		shape: uint32(s.shapeOf(portions)), service: uint32(s.services.number(v.Service)), //nolint:gosec // there are fewer
	}
	for _, p := range portions {
		c.lead += int64(p.Took)
		s.took = append(s.took, int64(p.Took))
	}
	at := len(s.streams)
	if at > 0 && s.streams[at-1].after(&c) {
		at = sort.Search(at, func(i int) bool { return s.streams[i].after(&c) })
	}
	s.streams = slices.Insert(s.streams, at, c)
}

// shapeOf returns the number of the shape of portions.
func (s *Streams) shapeOf(portions []Portion) int {
	var key []byte
	var sh shape
	for _, p := range portions {
		part := s.parts.number(partName{p.Stage, p.Cause})
		key = binary.AppendUvarint(key, uint64(part)) //nolint:gosec // it is an index
		sh.parts, sh.work = append(sh.parts, part), append(sh.work, p.Cause == Work)
	}
	i, known := s.byParts[string(key)]
	if !known {
		if s.byParts == nil {
			s.byParts = make(map[string]int)
		}
		i = len(s.shapes)
		s.shapes, s.byParts[string(key)] = append(s.shapes, sh), i
	}
	return i
}

// portions returns the times of a stream's portions.
func (s *Streams) portions(c *stream) []int64 {
	return s.took[c.first : c.first+len(s.shapes[c.shape].parts)]
}

// Len returns how many changes there are.
func (s *Streams) Len() int { return len(s.streams) }

// Delivered returns when the change of that index, in the order of delivery, was delivered.
func (s *Streams) Delivered(i int) time.Time { return time.Unix(0, s.streams[i].delivered).UTC() }

// Forget drops the changes that were delivered before a time.
func (s *Streams) Forget(before time.Time) {
	var kept Streams
	for _, c := range s.streams[s.before(before.UnixNano()):] {
		first := len(kept.took)
		kept.took = append(kept.took, s.portions(&c)...)
		c.first = first
		kept.streams = append(kept.streams, c)
	}
	s.streams, s.took = kept.streams, kept.took
}

// before returns how many changes were delivered before a time.
func (s *Streams) before(nanos int64) int {
	return sort.Search(len(s.streams), func(i int) bool { return s.streams[i].delivered >= nanos })
}

// in calls take with the changes that were delivered in a span, the newest first, until it returns
// false; with a service, only its own.
func (s *Streams) in(p Span, service andon.ServiceName, take func(c *stream) bool) {
	only, known := s.services.numbers[service]
	if service != "" && !known {
		return
	}
	from := s.before(p.From.UnixNano())
	for i := s.before(p.To.UnixNano()) - 1; i >= from; i-- {
		c := &s.streams[i]
		if (service == "" || int(c.service) == only) && !take(c) {
			return
		}
	}
}

// expect returns how many changes of a span to have room for.
func (s *Streams) expect(p Span, service andon.ServiceName) int {
	if service != "" {
		return 0
	}
	return max(s.before(p.To.UnixNano())-s.before(p.From.UnixNano()), 0)
}

// Leads returns the lead times of the changes that were delivered in a span.
func (s *Streams) Leads(p Span, service andon.ServiceName) (leads []time.Duration) {
	leads = make([]time.Duration, 0, s.expect(p, service))
	s.in(p, service, func(c *stream) bool {
		leads = append(leads, time.Duration(c.lead))
		return true
	})
	return leads
}

// Newest returns the changes that were delivered last in a span, the newest first, at most n.
func (s *Streams) Newest(p Span, service andon.ServiceName, n int) (all []andon.VersionRef) {
	s.in(p, service, func(c *stream) bool {
		all = append(all, andon.VersionRef{Service: s.services.all[c.service], Number: c.number})
		return len(all) < n
	})
	return all
}

// Flow adds up the changes that were delivered in a span, the newest of them, at most n, and
// returns besides how many there were. For passes see FlowOf.
func (s *Streams) Flow(p Span, service andon.ServiceName, n int, passes map[andon.StageName]Pass) (f Flow, all int) {
	newest := make([]*stream, 0, min(n, s.expect(p, service)))
	s.in(p, service, func(c *stream) bool {
		if all++; all <= n {
			newest = append(newest, c)
		}
		return true
	})
	return s.flow(newest, passes), all
}

// flow adds up streams.
func (s *Streams) flow(streams []*stream, passes map[andon.StageName]Pass) Flow {
	sum := s.summing(streams)
	for _, c := range streams {
		sum.add(s, c)
	}
	return sum.flow(s, passes)
}

// summing adds up streams.
type summing struct {
	leads, works []time.Duration
	parts        [][]time.Duration // by the number of the part, of the changes that had any of it
	shapes       []int             // how many of the streams have each
}

// summing begins to add up streams, with as much room for each part as they have of it.
func (s *Streams) summing(streams []*stream) summing {
	sum := summing{
		leads: make([]time.Duration, 0, len(streams)), works: make([]time.Duration, 0, len(streams)),
		parts: make([][]time.Duration, len(s.parts.all)), shapes: make([]int, len(s.shapes)),
	}
	for _, c := range streams {
		sum.shapes[c.shape]++
	}
	room := make([]int, len(s.parts.all))
	for shape, n := range sum.shapes {
		for _, part := range s.shapes[shape].parts {
			room[part] += n
		}
	}
	for part, n := range room {
		if n > 0 {
			sum.parts[part] = make([]time.Duration, 0, n)
		}
	}
	return sum
}

func (sum *summing) add(s *Streams, c *stream) {
	work := int64(0)
	sh := &s.shapes[c.shape]
	for i, took := range s.portions(c) {
		part := sh.parts[i]
		sum.parts[part] = append(sum.parts[part], time.Duration(took))
		if sh.work[i] {
			work += took
		}
	}
	sum.leads, sum.works = append(sum.leads, time.Duration(c.lead)), append(sum.works, time.Duration(work))
}

// rank returns after how many others the changes first come to each stage, at most.
func (sum *summing) rank(s *Streams) map[andon.StageName]int {
	rank := make(map[andon.StageName]int)
	for i, n := range sum.shapes {
		if n == 0 {
			continue
		}
		var seen []andon.StageName
		for _, part := range s.shapes[i].parts {
			stage := s.parts.all[part].stage
			if slices.Contains(seen, stage) {
				continue
			}
			rank[stage] = max(rank[stage], len(seen))
			if stage != "" { // the time between versions is none
				seen = append(seen, stage)
			}
		}
	}
	return rank
}

func (sum *summing) flow(s *Streams, passes map[andon.StageName]Pass) Flow {
	f := Flow{Changes: len(sum.leads), total: total(sum.leads), work: total(sum.works)}
	f.Lead, f.Work = Median(sum.leads), Median(sum.works)
	of := make(map[partName][]time.Duration, len(s.parts.all))
	for i, times := range sum.parts {
		of[s.parts.all[i]] = times
	}
	for _, stage := range ranked(sum.rank(s)) {
		s := Step{Stage: stage, Pass: passes[stage]}
		for _, cause := range append([]Cause{Work}, Causes()...) {
			p, some := f.part(cause, of[partName{stage, cause}])
			switch {
			case cause == Work:
				s.Work = p
			case some:
				s.Waits = append(s.Waits, p)
			}
		}
		slices.SortStableFunc(s.Waits, func(a, b Part) int { return b.Total.Compare(a.Total) })
		f.Steps = append(f.Steps, s)
	}
	return f
}
