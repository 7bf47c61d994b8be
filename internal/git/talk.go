package git

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
)

// The hooks that ask.
const (
	preReceive  = "pre-receive"
	postReceive = "post-receive"
)

// Limits on what a hook says.
const (
	maxWord = 64 << 10
	maxRefs = 1000
)

// A question is what a hook asks.
type question struct {
	hook       string
	quarantine []string // environment in which the pushed objects can be read
	moves      []move
}

// A move is one ref that a push moves.
type move struct {
	ref      string
	old, new andon.CommitID // empty: it does not exist
}

// branch returns the name of the branch that moves; false if it is another ref.
func (m move) branch() (string, bool) { return strings.CutPrefix(m.ref, "refs/heads/") }

// A talk is a conversation with the hooks of one push.
type talk struct {
	questions *bufio.Scanner
	answers   *os.File
	ours      []*os.File // ends here
	theirs    []*os.File // ends of git: read answers, write questions
}

func newTalk() (*talk, error) {
	answersOut, answersIn, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	questionsOut, questionsIn, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, answersOut.Close(), answersIn.Close())
	}
	t := &talk{
		questions: bufio.NewScanner(questionsOut), answers: answersIn,
		ours: []*os.File{questionsOut, answersIn}, theirs: []*os.File{answersOut, questionsIn},
	}
	t.questions.Buffer(make([]byte, 0, 4<<10), maxWord)
	return t, nil
}

// giveAway closes git's ends here, once git has them: the questions end when git does.
func (t *talk) giveAway() { closeAll(t.theirs) }

func (t *talk) close() { closeAll(t.ours) }

func closeAll(files []*os.File) {
	for _, f := range files {
		// A pipe that was closed before has nothing to lose.
		_ = f.Close()
	}
}

// next returns the next question, or io.EOF when git has ended.
func (t *talk) next() (question, error) {
	var q question
	var objects, alternates, quarantine string
	for _, word := range []*string{&q.hook, &objects, &alternates, &quarantine} {
		if !t.questions.Scan() {
			return q, errors.Join(t.questions.Err(), io.EOF)
		}
		*word = t.questions.Text()
	}
	for name, value := range map[string]string{
		"GIT_OBJECT_DIRECTORY": objects, "GIT_ALTERNATE_OBJECT_DIRECTORIES": alternates, "GIT_QUARANTINE_PATH": quarantine,
	} {
		if value != "" {
			q.quarantine = append(q.quarantine, name+"="+value)
		}
	}
	var problem error
	for t.questions.Scan() {
		word := t.questions.Text()
		if word == "." {
			return q, problem
		}
		if problem != nil {
			continue // the hook listens only when it has said everything
		}
		m, err := parseMove(word)
		if err == nil && len(q.moves) == maxRefs {
			err = andon.Errorf(andon.KindInvalid, "a push may move %d refs, and this one moves more", maxRefs)
		}
		problem = err
		q.moves = append(q.moves, m)
	}
	return q, errors.Join(t.questions.Err(), io.EOF)
}

// parseMove reads "OLD NEW REF"; a name of zeros alone means none.
func parseMove(word string) (move, error) {
	fields := strings.SplitN(word, " ", 3)
	if len(fields) != 3 {
		return move{}, fmt.Errorf("the hook says %.100q", word)
	}
	m := move{ref: fields[2], old: andon.CommitID(fields[0]), new: andon.CommitID(fields[1])}
	for _, id := range []*andon.CommitID{&m.old, &m.new} {
		if !id.Valid() {
			return move{}, fmt.Errorf("the hook says %.100q", word)
		}
		if strings.Trim(string(*id), "0") == "" {
			*id = ""
		}
	}
	return m, nil
}

// answer shows text to the pusher, line by line, and lets the hook end.
func (t *talk) answer(text string, ok bool) error {
	var b strings.Builder
	for l := range strings.Lines(text) {
		b.WriteString("|" + strings.TrimRight(l, "\r\n") + "\n")
	}
	if ok {
		b.WriteString("yes\n")
	} else {
		b.WriteString("no\n")
	}
	_, err := io.WriteString(t.answers, b.String())
	return err
}
