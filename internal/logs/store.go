package logs

import (
	"container/list"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/andon-cd/andon/internal/andon"
)

// Options bounds a store. Zero values stand for the defaults.
type Options struct {
	Limit int64 // of bytes in one stream, after which the rest is dropped; default DefaultLimit
	Open  int   // streams whose files are kept open; default DefaultOpen
}

// What applies where Options say nothing.
const (
	DefaultLimit = 512 << 20
	DefaultOpen  = 128
)

// A Store is a directory of streams. One process writes to it at a time. Its methods may be
// called from several goroutines; appends to one stream take turns.
type Store struct {
	root  *os.Root
	limit int64
	open  int

	mu      sync.Mutex
	streams map[string]*stream
	recent  *list.List // of *stream, the one used last first
	waiters map[string]*waiter
	closed  chan struct{}

	searches chan struct{} // one for each that runs
}

// Open opens the store in a directory, which it creates if it is missing.
func Open(dir string, o Options) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, andon.Errorf(andon.KindUnavailable, "the directory of the logs %s cannot be made", dir).Because(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, andon.Errorf(andon.KindUnavailable, "the directory of the logs %s cannot be opened", dir).Because(err)
	}
	s := &Store{
		root: root, limit: o.Limit, open: o.Open,
		streams: make(map[string]*stream), recent: list.New(),
		waiters: make(map[string]*waiter), closed: make(chan struct{}), searches: make(chan struct{}, maxSearches),
	}
	if s.limit <= 0 {
		s.limit = DefaultLimit
	}
	if s.open <= 0 {
		s.open = DefaultOpen
	}
	return s, nil
}

// Close ends all waiting and closes all files. Nothing else may be called from then on.
func (s *Store) Close() error {
	s.mu.Lock()
	close(s.closed)
	streams := slices.Collect(maps.Values(s.streams))
	clear(s.streams)
	s.recent.Init()
	s.mu.Unlock()
	var errs []error
	for _, st := range streams {
		errs = append(errs, st.close())
	}
	return errors.Join(append(errs, s.root.Close())...)
}

// use calls do with a stream, opened and locked. With create, the stream is made if it does not
// exist; otherwise that is an andon.KindNotFound. The stream stays open at least until release
// is called, which the caller must do exactly once, also after an error.
func (s *Store) use(name string, create bool, do func(*stream) error) (release func(), err error) {
	if err := checkName(name); err != nil {
		return func() {}, err
	}
	st := s.hold(name)
	st.mu.Lock()
	defer st.mu.Unlock()
	release = func() { s.letGo(st) }
	if st.data == nil {
		if err := st.load(create); err != nil {
			return release, err
		}
	}
	if st.removed {
		return release, notFound(name)
	}
	return release, do(st)
}

// hold returns the stream of that name, which may not be loaded yet, and keeps it from being closed.
func (s *Store) hold(name string) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.streams[name]
	if !ok {
		st = &stream{root: s.root, name: name, limit: s.limit}
		st.place = s.recent.PushFront(st)
		s.streams[name] = st
	}
	st.holders++
	s.recent.MoveToFront(st.place)
	return st
}

// letGo ends a hold, and closes what has not been used for longest beyond the bound.
func (s *Store) letGo(st *stream) {
	s.mu.Lock()
	st.holders--
	var idle []*stream
	if st.holders == 0 && (st.removed || st.data == nil) {
		idle = append(idle, s.forget(st))
	}
	for e := s.recent.Back(); e != nil && s.recent.Len() > s.open; {
		st, before := e.Value.(*stream), e.Prev()
		if st.holders == 0 {
			idle = append(idle, s.forget(st))
		}
		e = before
	}
	s.mu.Unlock()
	for _, st := range idle {
		// Nobody else knows the stream any more. Closing loses nothing: no write is buffered here.
		_ = st.close()
	}
}

func (s *Store) forget(st *stream) *stream {
	if s.streams[st.name] == st {
		delete(s.streams, st.name)
	}
	s.recent.Remove(st.place)
	return st
}

func notFound(name string) error {
	return andon.Errorf(andon.KindNotFound, "there is no log %s", name)
}

// storageError makes an error of the file system one for people.
func storageError(doing, name string, err error) error {
	if isFull(err) {
		return andon.Errorf(andon.KindUnavailable, "the disk of the logs is full; the log %s waits", name).
			WithHint("free some space; andon goes on by itself").
			Because(err)
	}
	return fmt.Errorf("%s the log %s: %w", doing, name, err)
}
