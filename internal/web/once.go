package web

import (
	"context"
	"slices"
	"sync"

	"github.com/andon-cd/andon/internal/andon"
)

// mostForms bounds the forms that are remembered as done. One is remembered for people who click
// twice, so that a few seconds would do.
const mostForms = 256

// A once does what each form asks for one time: whoever sends the same one again gets the same
// answer.
type once struct {
	mu     sync.Mutex
	forms  map[string]*form
	recent []string // the names of the forms, those that came last at the end
}

// A form is one that was sent.
type form struct {
	done  chan struct{} // closed when what follows is known
	where string
	err   error
}

// do returns what act returned for that form, or calls it. A form without a name is not remembered;
// neither is one that failed: it may be sent again.
func (o *once) do(ctx context.Context, path, name string, act func() (where string, err error)) (where string, err error) {
	if name == "" {
		return act()
	}
	key := path + "?" + name
	mine, first := o.begin(key)
	if first {
		mine.err = andon.Errorf(andon.KindInternal, "The change was not done.") // should act panic
		defer o.end(key, mine)
		mine.where, mine.err = act()
		return mine.where, mine.err
	}
	select {
	case <-mine.done:
		return mine.where, mine.err
	case <-ctx.Done():
		return "", andon.Errorf(andon.KindTimeout, "The change takes longer than expected.").WithHint("Look at the board: it may have been done.")
	}
}

// begin returns the form of that key, and whether it is new.
func (o *once) begin(key string) (*form, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if known := o.forms[key]; known != nil {
		return known, false
	}
	if len(o.recent) >= mostForms {
		delete(o.forms, o.recent[0])
		o.recent = slices.Delete(o.recent, 0, 1)
	}
	made := &form{done: make(chan struct{})}
	if o.forms == nil {
		o.forms = map[string]*form{}
	}
	o.forms[key], o.recent = made, append(o.recent, key)
	return made, true
}

func (o *once) end(key string, f *form) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if f.err != nil && o.forms[key] == f {
		delete(o.forms, key)
		o.recent = slices.DeleteFunc(o.recent, func(k string) bool { return k == key })
	}
	close(f.done)
}
