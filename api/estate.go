package api

import (
	"context"
	"net/http"
	"time"
)

// An Estate is what declared the environments of the plant last.
type Estate struct {
	Commit       string              `json:"commit,omitempty" doc:"of the estate's repository; empty: the plant's defaults apply"`
	Applied      *time.Time          `json:"applied,omitempty"`
	By           string              `json:"by,omitempty"`
	Environments []EstateEnvironment `json:"environments"`
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
