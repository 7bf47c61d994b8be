// Package announce tells the world outside when the line stops and when it runs again: it follows
// the journal and delivers a message for each such event, at least once, also over restarts.
package announce

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
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
	at, err := read(config.File, config.Engine.Head())
	if err != nil {
		return err
	}
	var plant string
	if err := config.Engine.View(ctx, func(s *line.State) { plant = s.Plant }); err != nil {
		return err
	}
	return config.Engine.Follow(ctx, at, func(events []andon.Event) error {
		delivered := false
		for _, event := range events {
			message, ok := notify.Of(plant, event)
			if !ok {
				continue
			}
			if err := deliver(ctx, config, message); err != nil {
				return nil // ctx ended: the position stays, and the next start goes on from it
			}
			delivered = true
		}
		if !delivered {
			return nil
		}
		return write(config.File, events[len(events)-1].Seq)
	})
}

// deliver tries until the message is delivered or given up. It returns an error only when ctx ended.
func deliver(ctx context.Context, config Config, m notify.Message) error {
	pause := firstPause
	for try := 1; ; try++ {
		err := config.Notifier.Deliver(ctx, m)
		if err == nil {
			return nil
		}
		kind := andon.KindOf(err)
		if permanent := kind == andon.KindRefused || kind == andon.KindInvalid; permanent || try == tries {
			config.Log.Error("a message could not be delivered and is given up", "message", m.ID, "type", m.Type, "tries", try, "err", err)
			return nil
		}
		if try == 1 {
			config.Log.Warn("a message could not be delivered and is tried again", "message", m.ID, "type", m.Type, "err", err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		pause = min(2*pause, lastPause)
	}
}

func read(file string, head andon.Seq) (andon.Seq, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return head, write(file, head)
	}
	if err != nil {
		return 0, err
	}
	var p position
	if err := json.Unmarshal(data, &p); err != nil || p.Seq > head {
		return head, nil // torn, or of a journal that was replaced by a backup
	}
	return p.Seq, nil
}

func write(file string, seq andon.Seq) error {
	data, err := json.Marshal(position{seq})
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}
