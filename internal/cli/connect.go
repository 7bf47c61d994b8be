package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
)

// A connection says which plant a command speaks to.
type connection struct {
	Server string `group:"plant" placeholder:"URL" help:"Its address. ($$ANDON_SERVER)"`
	Token  string `group:"plant" placeholder:"TOKEN" help:"What signs you in there. ($$ANDON_TOKEN)"`
	Data   string `group:"plant" placeholder:"DIR" help:"Its data directory, when it runs on this machine. ($$ANDON_DATA)"`
}

// A call is one command that runs.
type call struct {
	*terminal
	ctx        context.Context
	json       bool
	connection connection
	spokenTo   plant // by client; to say what to do when it does not answer
}

// A plant is where a command found the one to speak to.
type plant struct {
	URL   string
	Token string
	Dir   string // its data directory; empty: not known
}

// A running is the content of DIR/server.json.
type running struct {
	URL   string `json:"url"`
	Proxy string `json:"proxy"`
	PID   int    `json:"pid"`
}

// client returns a client of the plant that the call is about.
func (c *call) client() (*api.Client, error) {
	p, err := c.plant()
	if err != nil {
		return nil, err
	}
	c.spokenTo = p
	return &api.Client{Server: p.URL, Token: p.Token}, nil
}

// withAdvice returns err with what helps for the plant that the command spoke to.
func (c *call) withAdvice(err error) error {
	e, ok := errors.AsType[*api.Error](err)
	if !ok || c.spokenTo.URL == "" {
		return err
	}
	better := *e
	switch dir := c.spokenTo.Dir; {
	case e.Away() && dir != "":
		better.Hint = fmt.Sprintf("Start it with `andon server --data %s`, or name another one with --server.", quoted(dir))
	case e.Kind == api.KindSignIn && c.spokenTo.Token == "":
		better.Message = "the plant at " + c.spokenTo.URL + " wants to know who you are"
		better.Hint = "Give its token with --token or ANDON_TOKEN; it is in admin.token of its data directory."
	case e.Kind == api.KindSignIn:
		better.Message = "the plant at " + c.spokenTo.URL + " does not know this token"
		better.Hint = "Its token is in admin.token of its data directory; see --token, ANDON_TOKEN and --data."
	default:
		return err
	}
	return &better
}

// plant finds the plant: what the flags say, then the environment, then a data directory, then
// the last plant that this user started. An address without a token gets the token of the data
// directory whose plant has that address.
func (c *call) plant() (plant, error) {
	p := plant{
		URL:   first(c.connection.Server, c.getenv("ANDON_SERVER")),
		Token: first(c.connection.Token, c.getenv("ANDON_TOKEN")),
	}
	if p.URL != "" && p.Token != "" {
		return p, nil
	}
	dir := first(c.connection.Data, c.getenv("ANDON_DATA"))
	named := dir != ""
	if !named {
		dir = c.lastPlant()
	}
	if dir == "" {
		return p.orNone()
	}
	found, err := readRunning(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && p.URL == "" && named:
		return plant{}, andon.Errorf(andon.KindUnreachable, "no plant runs in %s", dir).
			WithHint("Start it with `andon server --data %s`.", quoted(dir))
	case errors.Is(err, fs.ErrNotExist):
		return p.orNone()
	case err != nil:
		return plant{}, err
	}
	if p.URL == "" {
		p.URL, p.Dir = found.URL, dir
	}
	if p.Token == "" && sameAddress(p.URL, found.URL) {
		p.Token, err = readToken(dir)
	}
	return p, err
}

// orNone returns p, or an error when nothing says where it is.
func (p plant) orNone() (plant, error) {
	if p.URL != "" {
		return p, nil
	}
	return plant{}, andon.Errorf(andon.KindUnreachable, "no plant is known here").
		WithHint("Start one with `andon server`, or name one with --server URL --token TOKEN, or --data DIR.")
}

// readRunning reads DIR/server.json, which a plant writes when it is ready.
func readRunning(dir string) (r running, err error) {
	data, err := os.ReadFile(filepath.Join(dir, "server.json"))
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	return r, andon.Errorf(andon.KindInvalid, "%s cannot be read", filepath.Join(dir, "server.json")).
		WithHint("See who may read it; restarting the plant writes it anew.").Because(err)
}

// readToken reads DIR/admin.token.
func readToken(dir string) (string, error) {
	data, err := os.ReadFile(filepath.Join(dir, "admin.token"))
	if err != nil {
		return "", andon.Errorf(andon.KindSignIn, "%s cannot be read", filepath.Join(dir, "admin.token")).
			WithHint("Only the user who started the plant may read it; others need --token.").Because(err)
	}
	return strings.TrimSpace(string(data)), nil
}

// lastPlant returns the data directory of the last plant that this user started; empty: none.
func (c *call) lastPlant() string {
	path, err := c.lastPlantFile()
	if err != nil {
		return ""
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// rememberPlant makes a data directory the one of the last plant that this user started.
func (c *call) rememberPlant(dir string) error {
	path, err := c.lastPlantFile()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	// A command that reads it meanwhile must never see half of it.
	unfinished := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.WriteFile(unfinished, []byte(dir+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(unfinished, path)
}

// lastPlantFile returns the file that names the last plant: andon/plant in the user's state.
func (c *call) lastPlantFile() (string, error) {
	state, err := c.userDir("XDG_STATE_HOME", ".local", "state")
	return filepath.Join(state, "andon", "plant"), err
}

// dataDir returns the data directory that a command on this machine works with.
func (c *call) dataDir() (string, error) {
	if dir := first(c.connection.Data, c.getenv("ANDON_DATA")); dir != "" {
		return filepath.Abs(dir)
	}
	data, err := c.userDir("XDG_DATA_HOME", ".local", "share")
	return filepath.Join(data, "andon"), err
}

// ownPlant returns the data directory of a plant that exists: named, else the last one that this
// user started, else the default.
func (c *call) ownPlant() (string, error) {
	if c.connection.Data == "" && c.getenv("ANDON_DATA") == "" {
		if dir := c.lastPlant(); dir != "" {
			return dir, nil
		}
	}
	return c.dataDir()
}

// userDir returns a directory of the XDG specification.
func (c *call) userDir(variable string, below ...string) (string, error) {
	if dir := c.getenv(variable); filepath.IsAbs(dir) {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", andon.Errorf(andon.KindInvalid, "there is no home directory to keep a plant in").
			WithHint("Name a data directory with --data DIR.").Because(err)
	}
	return filepath.Join(append([]string{home}, below...)...), nil
}

// first returns the first text that is not empty.
func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// sameAddress reports whether two addresses are of one server.
func sameAddress(a, b string) bool {
	return strings.TrimRight(a, "/") == strings.TrimRight(b, "/")
}
