package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/intake"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/vcs"
)

// commitTimeout bounds how long a push waits for the plant to take it.
const commitTimeout = 30 * time.Second

// A push is one push to one service, from the moment its objects are there.
type push struct {
	git     *Git
	service andon.ServiceName
	dir     string // of the repository; a new one is elsewhere until it is accepted
	fresh   bool   // the repository is new: nothing of it stays unless the push is accepted
	trunk   string // of the service; empty until a first push says it

	read    map[move]line.Push // what pre-receive read of each tip
	estate  *intake.Estate     // of the estate: what pre-receive read of its trunk; nil: that does not move
	turn    func()             // ends this push's turn; nil: it has none
	checked bool               // pre-receive said yes, and post-receive has not asked yet
}

// receive serves a push.
func (g *Git) receive(ctx context.Context, w http.ResponseWriter, r *http.Request, service andon.ServiceName, known knowledge) error {
	p := &push{git: g, service: service, dir: g.dir(service), trunk: known.source.Trunk, read: map[move]line.Push{}}
	if !known.there || !known.exists {
		dir, err := g.makeNew(service)
		if err != nil {
			return err
		}
		p.dir, p.fresh = dir, true
		defer g.dropNew(dir)
	}
	t, err := newTalk()
	if err != nil {
		return err
	}
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		defer t.close() // a hook that waits for an answer does so no longer
		p.listen(ctx, t)
	}()
	err = g.backend(ctx, w, r, run{dir: p.dir, what: receivePack, talk: t.theirs[0], ask: t.theirs[1], after: t.giveAway})
	t.giveAway() // also when git never ran
	<-heard
	if p.turn != nil {
		p.turn()
	}
	return err
}

// listen answers the hooks until git has ended.
func (p *push) listen(ctx context.Context, t *talk) {
	for {
		q, err := t.next()
		if errors.Is(err, io.EOF) {
			return
		}
		var text string
		switch {
		case err != nil:
		case q.hook == preReceive && p.turn == nil:
			err = p.check(ctx, q)
			p.checked = err == nil
		case q.hook == postReceive && p.checked:
			text, err = p.accept(ctx, q)
			p.checked = false
		default:
			err = fmt.Errorf("the hook %q asks out of turn", q.hook)
		}
		if err != nil {
			text = p.refusal(err)
		}
		if answerErr := t.answer(text, err == nil); answerErr != nil {
			return // git is gone
		}
	}
}

// refusal returns what the pusher reads of an error.
func (p *push) refusal(err error) string {
	if problems, ok := errors.AsType[problemList](err); ok {
		return problems.text
	}
	e, ok := errors.AsType[*andon.Error](err)
	if !ok || e.Kind == andon.KindInternal {
		p.git.Log.Error("a push could not be taken", "service", p.service, "err", err)
		return "andon: the plant failed to take the push; its log says why\n"
	}
	text := "andon: " + e.Message + "\n"
	if e.Hint != "" {
		text += "andon: " + e.Hint + "\n"
	}
	return text
}

// check decides, before any ref moves, whether the plant takes the push. From then on it is the
// only push to the service until git has ended, so that versions are numbered in the order in
// which branches move.
func (p *push) check(ctx context.Context, q question) error {
	turn, err := p.git.take(ctx, p.service)
	if err != nil {
		return err
	}
	p.turn = turn
	if err := p.git.running.Err(); err != nil {
		return errStopping()
	}
	if err := p.git.Engine.Writable(ctx); err != nil {
		return err
	}
	if p.fresh {
		if p.trunk, err = firstTrunk(p.trunk, q.moves); err != nil {
			return err
		}
	}
	environments, err := p.environments(ctx)
	if err != nil {
		return err
	}
	for _, m := range q.moves {
		if err := p.checkMove(ctx, m, q.quarantine, environments); err != nil {
			return err
		}
	}
	return nil
}

// firstTrunk returns the trunk of a service that is pushed for the first time: the branch that is
// pushed; of several, main or master.
func firstTrunk(wanted string, moves []move) (string, error) {
	var branches []string
	for _, m := range moves {
		if b, ok := m.branch(); ok && m.new != "" {
			branches = append(branches, b)
		}
	}
	if wanted != "" {
		return wanted, nil // the service was added before its first push
	}
	if len(branches) == 0 {
		return "", andon.Errorf(andon.KindInvalid, "the first push of a service must bring a branch").
			WithHint("git push REMOTE main")
	}
	for _, usual := range []string{"main", "master"} {
		if slices.Contains(branches, usual) {
			return usual, nil
		}
	}
	return branches[0], nil
}

func (p *push) environments(ctx context.Context) (names []andon.EnvironmentName, err error) {
	err = p.git.Engine.View(ctx, func(s *line.State) {
		for name := range s.Environments {
			names = append(names, name)
		}
	})
	slices.Sort(names)
	return names, err
}

// problemList is what is wrong with an andon.yaml, as text for a terminal.
type problemList struct{ text string }

// Error implements error.
func (l problemList) Error() string { return l.text }

func (p *push) checkMove(ctx context.Context, m move, quarantine []string, environments []andon.EnvironmentName) error {
	branch, ok := m.branch()
	if !ok {
		if strings.HasPrefix(m.ref, "refs/tags/") || strings.HasPrefix(m.ref, "refs/notes/") {
			return nil
		}
		return andon.Errorf(andon.KindInvalid, "%.100q is not a branch or a tag", m.ref).WithHint("push to a branch, like main")
	}
	if m.new == "" {
		if branch == p.trunk {
			return andon.Errorf(andon.KindRefused, "%s is the trunk of %s: it cannot be deleted", branch, p.service)
		}
		return nil
	}
	repo := vcs.Repo{Dir: p.dir, Env: quarantine}
	if branch == p.trunk && m.old != "" {
		forward, err := repo.IsAncestor(ctx, m.old, m.new)
		if err != nil {
			return err
		}
		if !forward {
			return andon.Errorf(andon.KindRefused, "%s is the trunk of %s: it only moves forward, and this push rewrites it", branch, p.service).
				WithHint("undo commits with `git revert`, and push without --force")
		}
	}
	if p.service == andon.EstateRepository {
		return p.checkEstate(ctx, repo, m, branch)
	}
	tip := intake.Tip{Service: p.service, Branch: branch, Commit: m.new, Parent: m.old}
	announced, problems, err := intake.Read(ctx, repo, tip, environments)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return problemList{explain(p.service, m, problems)}
	}
	announced.Source = andon.Source{Trunk: p.trunk}
	p.read[m] = announced
	return nil
}

// accept announces the branches that have moved to the line, and returns what to tell the pusher.
// When the line does not take them, they move back.
func (p *push) accept(ctx context.Context, q question) (string, error) {
	// The refs have moved: a pusher who goes away now does not take that back.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	if p.fresh {
		if err := p.place(ctx); err != nil {
			return "", err
		}
	}
	if p.service == andon.EstateRepository {
		return p.acceptEstate(ctx, q)
	}
	var text strings.Builder
	moves := slices.Clone(q.moves)
	// The trunk last: what a branch has built already, the trunk need not build again. In a
	// service's first push it comes first: it makes the service known.
	slices.SortStableFunc(moves, func(a, b move) int {
		order := 1
		if p.fresh {
			order = -1
		}
		return order * (p.rank(a) - p.rank(b))
	})
	for i, m := range moves {
		announced, ok := p.read[m]
		if !ok {
			continue // a tag, or a branch that was deleted
		}
		result, err := p.git.Engine.Do(ctx, actor(announced.Author), announced)
		if err != nil {
			return text.String(), p.takeBack(ctx, moves[i:], err)
		}
		p.fresh = false // something of it is recorded: it stays
		text.WriteString(p.tell(ctx, announced, result))
	}
	return text.String(), nil
}

func (p *push) rank(m move) int {
	if branch, ok := m.branch(); ok && branch == p.trunk {
		return 1
	}
	return 0
}

// takeBack undoes moves that the line did not take, so that pushing again announces them again.
// Where the line may still have taken them, Reconcile finds out at the next start.
func (p *push) takeBack(ctx context.Context, moves []move, cause error) error {
	e := andon.Errorf(andon.KindUnavailable, "the plant could not record the push, and has taken it back").
		WithHint("push again; if it repeats, the log of the plant says why").Because(cause)
	if known, ok := errors.AsType[*andon.Error](cause); ok && known.Kind != andon.KindInternal {
		e = andon.Errorf(known.Kind, "the push was taken back: %s", known.Message).Because(cause)
		e.Hint = known.Hint
	}
	p.git.Log.Error("a push could not be recorded", "service", p.service, "err", cause)
	if andon.KindOf(cause) == andon.KindTimeout {
		return andon.Errorf(andon.KindTimeout, "the plant was too slow to record the push").
			WithHint("see with `%s` whether it has it; if not, restart the plant", p.seen())
	}
	if p.fresh {
		p.git.dropNew(p.dir)
		return e
	}
	for _, m := range moves {
		if err := p.git.moveBack(ctx, p.dir, m); err != nil {
			p.git.Log.Error("a ref could not be moved back", "service", p.service, "ref", m.ref, "err", err)
		}
	}
	return e
}

// seen returns the command that shows what the plant has of the push.
func (p *push) seen() string {
	if p.service == andon.EstateRepository {
		return "andon estate"
	}
	return "andon status " + string(p.service)
}

// actor returns who pushed, as the journal names it: by the address of the tip's author.
func actor(author string) andon.Actor {
	if open := strings.LastIndexByte(author, '<'); open >= 0 {
		if address := strings.TrimSuffix(author[open+1:], ">"); address != "" {
			return andon.Actor("git:" + address)
		}
	}
	return andon.Actor("git:" + strings.TrimSpace(author))
}
