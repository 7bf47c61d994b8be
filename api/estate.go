package api

import (
	"context"
	"net/http"
	"time"
)

// An Estate is what declared the environments of the plant last, and where the next one comes from.
type Estate struct {
	Commit       string              `json:"commit,omitempty" doc:"of the estate's repository; empty: the plant's defaults apply"`
	Applied      *time.Time          `json:"applied,omitempty"`
	By           string              `json:"by,omitempty"`
	Origin       string              `json:"origin,omitempty" enum:"push,watch,command" doc:"how it came: pushed to the built-in git, from the repository that is followed, or by andon estate apply"`
	Followed     *FollowedEstate     `json:"followed,omitempty" doc:"the repository elsewhere that the estate is in; left out: the built-in one"`
	Environments []EstateEnvironment `json:"environments"`
}

// A FollowedEstate is the repository elsewhere that the estate is in.
type FollowedEstate struct {
	Repository string         `json:"repository"`
	Branch     string         `json:"branch"`
	Since      time.Time      `json:"since"`
	By         string         `json:"by"`
	Refused    *RefusedEstate `json:"refused,omitempty" doc:"its newest commit, when that cannot be applied; the environments are those of the commit before"`
	Trouble    string         `json:"trouble,omitempty" doc:"why the repository could not be read when it was looked at last"`
}

// A RefusedEstate is a commit of the estate that changed nothing.
type RefusedEstate struct {
	Commit   string    `json:"commit"`
	At       time.Time `json:"at"`
	Problems []*Error  `json:"problems" doc:"at least one"`
}

// FollowEstate says which repository elsewhere the estate is in.
type FollowEstate struct {
	Repository string      `json:"repository" doc:"an address or path to follow"`
	Branch     string      `json:"branch,omitempty" doc:"left out: the repository's default branch"`
	Credential *Credential `json:"credential,omitempty" doc:"for a private repository; never returned"`
}

// An EstateEnvironment is one environment in words.
type EstateEnvironment struct {
	Name string `json:"name"`
	Says string `json:"says" doc:"every key that is not empty"`
}

// An EstateFile is one file of an estate.
type EstateFile struct {
	Path string `json:"path" doc:"slash-separated, below the top of the repository"`
	Text string `json:"text"`
}

// ApplyEstate makes the environments those of a commit of the estate, or says what would change.
type ApplyEstate struct {
	Commit string       `json:"commit,omitempty" doc:"40 hexadecimal digits; needed unless plan is set"`
	Files  []EstateFile `json:"files" doc:"all files below environments/, and what else belongs to the estate"`
	Plan   bool         `json:"plan,omitempty" doc:"say what would change, and change nothing"`
}

// An EstateChange is one thing that differs between two estates.
type EstateChange struct {
	Environment string `json:"environment"`
	Key         string `json:"key,omitempty" doc:"empty: the whole environment is new, or gone"`
	Before      string `json:"before,omitempty"`
	After       string `json:"after,omitempty"`
	Line        string `json:"line" doc:"the change as people read it"`
}

// EstateChanges is the answer to ApplyEstate.
type EstateChanges struct {
	Applied  bool           `json:"applied"`
	Refused  *Error         `json:"refused,omitempty" doc:"of a plan: why the plant would refuse it as things are"`
	Changes  []EstateChange `json:"changes"`
	Position int64          `json:"position" doc:"of the journal, once it is applied"`
}

// Estate returns what declared the environments last.
func (c *Client) Estate(ctx context.Context) (e Estate, err error) {
	return e, c.get(ctx, path("estate"), nil, &e)
}

// ApplyEstate makes the environments those of a commit of the estate, or says what would change.
// An estate that is invalid as a whole changes nothing: the error is the first of its problems.
func (c *Client) ApplyEstate(ctx context.Context, a ApplyEstate) (e EstateChanges, err error) {
	return e, c.do(ctx, http.MethodPut, path("estate"), nil, a, &e)
}

// FollowEstate says which repository elsewhere the estate is in from now on.
func (c *Client) FollowEstate(ctx context.Context, f FollowEstate) (d Done, err error) {
	return d, c.do(ctx, http.MethodPut, path("estate", "repository"), nil, f, &d)
}

// UnfollowEstate ends that: the environments stay as they are, and the built-in git takes pushes
// of the estate again.
func (c *Client) UnfollowEstate(ctx context.Context) (d Done, err error) {
	return d, c.do(ctx, http.MethodDelete, path("estate", "repository"), nil, nil, &d)
}
