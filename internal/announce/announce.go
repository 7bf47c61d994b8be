// Package announce tells the world outside when the line stops and when it runs again: it follows
// the journal and delivers a message for each such event, once over orderly restarts, and again
// only when a crash or a full disk kept it from noting that it did: receivers tell by the ID.
package announce

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/engine"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/notify"
)

const (
	// tries is how often one message is sent before it is given up: over about an hour.
	tries      = 12
	firstPause = time.Second
	lastPause  = 15 * time.Minute
)

// Config is what an announcer needs.
type Config struct {
	Engine   *engine.Engine
	Notifier notify.Notifier
	File     string // keeps the position in the journal up to which everything is delivered
	Log      *slog.Logger
}

// position is the content of the file.
type position struct {
	Seq andon.Seq `json:"seq"`
}

// Run delivers until ctx ends. With no file yet it begins at the present end of the journal.
func Run(ctx context.Context, config Config) error {
	at, err := begin(config)
	if err != nil {
		return err
	}
	var plant string
	if err := config.Engine.View(ctx, func(s *line.State) { plant = s.Plant }); err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it ended before there was anything to deliver
		}
		return err
	}
	return config.Engine.Follow(ctx, at, func(events []andon.Event) error {
		for _, event := range events {
			message, ok := notify.Of(plant, event)
			if !ok {
				continue
			}
			if !deliver(ctx, config, message) {
				return nil // the next start goes on from here
			}
			if err := write(config.File, event.Seq); err != nil {
				// The line stops for nobody's full disk, and a message may come twice.
				config.Log.Error("it cannot be noted that a message was delivered: after a restart it is delivered again", "message", message.ID, "err", err)
			}
		}
		return nil
	})
}

// deliver tries until the message is delivered or given up, and reports that; false when ctx ended
// before.
func deliver(ctx context.Context, config Config, m notify.Message) bool {
	pause := firstPause
	for try := 1; ; try++ {
		err := config.Notifier.Deliver(ctx, m)
		if err == nil {
			return true
		}
		kind := andon.KindOf(err)
		if permanent := kind == andon.KindRefused || kind == andon.KindInvalid; permanent || try == tries {
			config.Log.Error("a message could not be delivered and is given up", "message", m.ID, "type", m.Type, "tries", try, "err", err)
			return true
		}
		if try == 1 {
			config.Log.Warn("a message could not be delivered and is tried again", "message", m.ID, "type", m.Type, "err", err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-timer.C:
		}
		pause = min(2*pause, lastPause)
	}
}

// begin returns the position in the journal up to which everything is delivered. Without a note of
// it, and with one that is torn or of a journal that a backup replaced, that is the present end.
func begin(config Config) (andon.Seq, error) {
	head := config.Engine.Head()
	data, err := os.ReadFile(config.File)
	if errors.Is(err, fs.ErrNotExist) {
		return head, write(config.File, head)
	}
	if err != nil {
		return 0, err
	}
	var p position
	if err := json.Unmarshal(data, &p); err != nil {
		config.Log.Warn("the note of what was announced is damaged: what happened before now is not announced any more", "file", config.File, "err", err)
		return head, write(config.File, head)
	}
	if p.Seq > head {
		config.Log.Warn("the note of what was announced is of another journal: what happened before now is not announced any more", "file", config.File)
		return head, write(config.File, head)
	}
	return p.Seq, nil
}

// write notes the position, durably: after a loss of power the note is the old one or the new one.
func write(file string, seq andon.Seq) error {
	data, err := json.Marshal(position{seq})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(file+".new", file); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
