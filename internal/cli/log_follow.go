package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/andon-cd/andon/api"
)

const (
	// lookAgain is how often it is looked for logs that are new.
	lookAgain = 500 * time.Millisecond
	// longestLine is how much of one line is printed together.
	longestLine = 64 << 10
	// mostFollowed bounds the logs that are followed at the same time.
	mostFollowed = 200
)

// A followedLine is what `andon log -f --json` prints for each line.
type followedLine struct {
	Log  string `json:"log"`
	Of   string `json:"of"`
	Text string `json:"text"`
}

// A follower prints lines of several logs as they come, each line whole.
type follower struct {
	*call
	client *api.Client
	mu     sync.Mutex // of the output
	err    error      // the first one
	open   sync.WaitGroup
}

// followLogs prints the last lines of each log and what is appended, until all logs that find
// knows are finished and complete, or the command is interrupted.
func (c *call) followLogs(client *api.Client, find finder, lines int) error {
	f := &follower{call: c, client: client}
	defer f.open.Wait()
	followed := map[string]bool{}
	for {
		sources, complete, err := find()
		if err != nil && (len(followed) == 0 || !restarting(err)) {
			return f.interrupted(err)
		}
		for _, source := range sources {
			if followed[source.log] || len(followed) >= mostFollowed {
				continue
			}
			followed[source.log] = true
			f.open.Go(func() { f.follow(source, lines) })
		}
		if complete && err == nil {
			f.open.Wait()
			return f.interrupted(f.err)
		}
		if !rest(c.ctx, lookAgain) {
			return nil
		}
	}
}

// interrupted returns err, and nil when the command was interrupted, as following always ends.
func (f *follower) interrupted(err error) error {
	if f.ctx.Err() == nil {
		return err
	}
	return nil
}

// follow prints one log to its end. When the connection breaks, it goes on where it was.
func (f *follower) follow(source logSource, lines int) {
	offset, err := f.start(source, lines)
	for err == nil {
		var finished bool
		before := offset
		if offset, finished, err = f.pass(source, offset); finished || f.ctx.Err() != nil {
			return
		}
		if restarting(err) || err == nil {
			err = nil
			if offset == before && !rest(f.ctx, lookAgain) {
				return
			}
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

// start returns the offset of the last lines of a log, which need not exist yet.
func (f *follower) start(source logSource, lines int) (int64, error) {
	tail, err := f.client.LogLines(f.ctx, source.log, int64(-lines), 1)
	if e, ok := errors.AsType[*api.Error](err); ok && e.Kind == api.KindNotFound {
		return 0, nil
	}
	if err != nil || len(tail.Lines) == 0 {
		return 0, err
	}
	return tail.Lines[0].Offset, nil
}

// pass prints a log from an offset until the connection ends, and returns how far it came.
func (f *follower) pass(source logSource, offset int64) (next int64, finished bool, err error) {
	body, err := f.client.LogBytes(f.ctx, source.log, offset, true)
	if e, ok := errors.AsType[*api.Error](err); ok && e.Kind == api.KindNotFound {
		return offset, false, nil // nothing was written yet
	}
	if err != nil {
		return offset, false, err
	}
	defer body.Close()
	in := bufio.NewReaderSize(body, longestLine)
	for {
		line, err := in.ReadSlice('\n')
		switch {
		case err == nil || errors.Is(err, bufio.ErrBufferFull):
		case !errors.Is(err, io.EOF):
			return offset, false, nil // it is taken up again, at the beginning of the line
		default:
			if finished, err = f.finished(source, offset+int64(len(line))); !finished {
				return offset, false, err
			}
		}
		if len(line) > 0 {
			offset += int64(len(line))
			f.print(source, line)
		}
		if finished {
			return offset, true, nil
		}
	}
}

// finished reports whether a log ends at an offset: a server that stops ends its answers, too.
func (f *follower) finished(source logSource, offset int64) (bool, error) {
	tail, err := f.client.LogLines(f.ctx, source.log, -1, 1)
	return err == nil && tail.Finished && tail.Size <= offset, err
}

// print writes one line with the name of its log before it.
func (f *follower) print(source logSource, line []byte) {
	if line[len(line)-1] == '\n' {
		line = line[:len(line)-1]
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.json {
		f.sayJSON(f.out, followedLine{Log: source.log, Of: source.label, Text: string(line)})
		return
	}
	fmt.Fprint(f.out, f.paint(f.out).faint(source.label+" | ")+string(line)+"\n")
}
