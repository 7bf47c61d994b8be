// Package notify is the contract between the plant and whatever tells people and programs what
// happened. The drivers are in the directories beside it.
package notify

import (
	"context"
	"fmt"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A Type names what a message is about. The names are part of the public contract.
type Type string

// The types of messages.
const (
	LineStopped Type = "line.stopped" // a cord was pulled
	LineRunning Type = "line.running" // a cord was released
)

// A Message is one thing that happened, for the world outside.
type Message struct {
	ID   string    `json:"-"` // the same for each delivery of one message
	Type Type      `json:"type"`
	Time time.Time `json:"timestamp"`
	Data Data      `json:"data"`
}

// Data is the content of a message about a cord.
type Data struct {
	Plant       string                `json:"plant"`
	Cord        andon.CordID          `json:"cord"`
	Scope       string                `json:"scope"` // in words: "service shop"
	Service     andon.ServiceName     `json:"service,omitempty"`
	Environment andon.EnvironmentName `json:"environment,omitempty"`
	By          andon.Actor           `json:"by"`
	Reason      string                `json:"reason"`
	// Version is what stopped the line, or what released it by passing; absent when a person did.
	Version andon.VersionNumber `json:"version,omitempty"`
	Stage   andon.StageName     `json:"stage,omitempty"`
}

// A Notifier delivers messages to one receiver. Deliver may be called again with the same message
// when it is not known whether it arrived: the receiver tells repetitions by the ID. An error of
// kind andon.KindRefused or KindInvalid is permanent: trying again is useless.
type Notifier interface {
	Deliver(ctx context.Context, m Message) error
}

// Of returns the message about an event; false when nobody outside need know of it.
func Of(plant string, e andon.Event) (Message, bool) {
	m := Message{ID: fmt.Sprintf("msg_%s_%d", plant, e.Seq), Time: e.Time}
	switch body := e.Body.(type) {
	case andon.CordPulled:
		m.Type = LineStopped
		m.Data = about(plant, body.Cord.ID, body.Cord.Scope, body.Cord.Owner, body.Cord.Reason)
		if fix := body.Cord.Fix; fix != nil {
			m.Data.Version, m.Data.Stage = fix.Broken, fix.Stage
		}
	case andon.CordReleased:
		m.Type = LineRunning
		m.Data = about(plant, body.Cord, body.Scope, e.By, body.Reason)
		m.Data.Version = body.Version
	default:
		return Message{}, false
	}
	return m, true
}

func about(plant string, cord andon.CordID, scope andon.Scope, by andon.Actor, reason string) Data {
	return Data{
		Plant: plant, Cord: cord, Scope: scope.String(), Service: scope.Service,
		Environment: scope.Environment, By: by, Reason: reason,
	}
}
