package andon

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"
)

// An Event is one fact in the journal. Events are recorded before anything acts on them and
// are never changed.
type Event struct {
	Seq  Seq       `json:"seq"`
	Time time.Time `json:"time"` // UTC, as given to the decision that emitted it
	By   Actor     `json:"by"`
	Body Body      `json:"body"`
}

// A Body is the content of an event: one of the types in this package that implement it.
// The name is part of the journal's format and never changes.
type Body interface{ EventName() string }

// eventJSON is the form of an event outside the program.
type eventJSON struct {
	Seq  Seq             `json:"seq"`
	Time time.Time       `json:"time"`
	By   Actor           `json:"by"`
	Name string          `json:"name"`
	Body json.RawMessage `json:"body"`
}

// MarshalJSON encodes the event with the name of its body beside the body.
func (e Event) MarshalJSON() ([]byte, error) {
	body, err := json.Marshal(e.Body)
	if err != nil {
		return nil, err
	}
	return json.Marshal(eventJSON{e.Seq, e.Time, e.By, e.Body.EventName(), body})
}

// UnmarshalJSON decodes an event; a name that this program does not know is an error, since an
// event that is skipped would change what all later ones mean.
func (e *Event) UnmarshalJSON(data []byte) error {
	var j eventJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	body, err := DecodeBody(j.Name, j.Body)
	if err != nil {
		return err
	}
	*e = Event{Seq: j.Seq, Time: j.Time, By: j.By, Body: body}
	return nil
}

// DecodeBody returns the body of the event of that name from its JSON.
func DecodeBody(name string, data []byte) (Body, error) {
	t, ok := bodyTypes[name]
	if !ok {
		return nil, fmt.Errorf("event %q is not known to this version of andon", name)
	}
	v := reflect.New(t)
	if err := json.Unmarshal(data, v.Interface()); err != nil {
		return nil, fmt.Errorf("event %q: %w", name, err)
	}
	body, ok := v.Elem().Interface().(Body)
	if !ok {
		return nil, fmt.Errorf("event %q: %s is not a Body", name, t)
	}
	return body, nil
}

// EventNames returns the names of all events, in the order of Bodies.
func EventNames() []string {
	names := make([]string, 0, len(bodies))
	for _, b := range bodies {
		names = append(names, b.EventName())
	}
	return names
}

// bodies lists every event: the one place where a new one is registered.
var bodies = []Body{
	PlantCreated{}, EnvironmentDeclared{}, EnvironmentRemoved{},
	EstateApplied{}, EstateFollowed{}, EstateRefused{},
	ServiceAdded{}, ServiceRemoved{},
	VersionCreated{}, VersionReachedTrunk{}, MaturityChanged{}, VersionEnded{},
	StageAdmitted{}, StageStarted{}, StageFinished{},
	TaskQueued{}, TaskLeased{}, TaskCancelled{}, TaskEnded{},
	AgentConnected{}, AgentLost{}, Observed{}, HostAdded{}, HostJoined{}, HostRemoved{},
	DeploymentPlanned{}, DeploymentStarted{}, DesiredChanged{}, DeploymentMoved{}, DeploymentJudged{}, DeploymentEnded{},
	CordPulled{}, CordReleased{},
}

var bodyTypes = func() map[string]reflect.Type {
	m := make(map[string]reflect.Type, len(bodies))
	for _, b := range bodies {
		m[b.EventName()] = reflect.TypeOf(b)
	}
	return m
}()
