package docker

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// The Engine's own words, as far as they are used here.
type (
	engineVersion struct {
		APIVersion    string `json:"ApiVersion"`
		MinAPIVersion string
		Version       string
		Components    []engineComponent
	}
	engineComponent struct{ Name, Version string }
	// listed is a container as lists have it.
	listed struct {
		ID     string `json:"Id"`
		Labels map[string]string
	}
	containerState struct {
		Status             string
		Running, OOMKilled bool
		ExitCode           int
		Error              string
		StartedAt          time.Time
	}
	container struct {
		ID     string `json:"Id"`
		Name   string // with a slash before it, as Docker has it
		Image  string
		State  containerState
		Config struct {
			Labels     map[string]string
			StopSignal string
		}
		HostConfig struct{ Memory int64 }
	}
	image struct {
		ID     string `json:"Id"`
		Config struct {
			User       string
			WorkingDir string
			Env        []string
		}
	}
	event struct {
		Action string
		Actor  struct{ ID string }
	}
)

// negotiate asks which versions of the API the Engine speaks, takes one of them, and keeps what
// it tells of itself.
func (e *engine) negotiate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	v, err := e.introduction(ctx)
	if err != nil {
		return err
	}
	newest, least := minor(v.APIVersion), minor(v.MinAPIVersion)
	if newest < apiOldest {
		return andon.Errorf(andon.KindRefused, "the container engine at %s speaks API version %q, and at least 1.%d is needed", e.socket, v.APIVersion, apiOldest).
			WithHint("Install Docker 19.03 or later, or Podman 4 or later.")
	}
	e.api.Store(int64(max(min(apiWritten, newest), least)))
	e.version.Store(&v)
	return nil
}

// introduction asks the Engine what it is. A Podman says it when it is pinged; it is not asked for
// its version, for which it would run other programs and ask the host's packages: seconds on a
// host that is busy.
func (e *engine) introduction(ctx context.Context) (engineVersion, error) {
	pong, err := e.answer(ctx, http.MethodGet, "/_ping", nil, nil, "")
	if err != nil {
		return engineVersion{}, err
	}
	pong.Body.Close()
	if podman := pong.Header.Get("Libpod-API-Version"); podman != "" {
		return engineVersion{
			APIVersion: pong.Header.Get("API-Version"), Version: podman, Components: []engineComponent{{componentPodman, podman}},
		}, nil
	}
	answer, err := e.answer(ctx, http.MethodGet, "/version", nil, nil, "")
	if err != nil {
		return engineVersion{}, err
	}
	defer answer.Body.Close()
	var v engineVersion
	if err := json.NewDecoder(io.LimitReader(answer.Body, answerLimit)).Decode(&v); err != nil {
		return engineVersion{}, e.unreachable(ctx, err)
	}
	return v, nil
}

// known returns what the Engine told of itself, and asks it if it was never there yet.
func (e *engine) known(ctx context.Context) (engineVersion, error) {
	if e.version.Load() == nil {
		if err := e.negotiate(ctx); err != nil {
			return engineVersion{}, err
		}
	}
	return *e.version.Load(), nil
}

// minor returns the second number of a version of the API, -1 if it is none of 1.x.
func minor(version string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(version, "1."))
	if err != nil || !strings.HasPrefix(version, "1.") {
		return -1
	}
	return n
}

// What an Engine has besides itself.
const (
	componentPodman = "Podman Engine"
	componentInit   = "docker-init" // takes the part of PID 1
)

func (v engineVersion) has(component string) bool {
	return slices.ContainsFunc(v.Components, func(c engineComponent) bool { return c.Name == component })
}

func (e *engine) inspect(ctx context.Context, id string) (container, error) {
	var c container
	err := e.call(ctx, http.MethodGet, "/containers/"+id+"/json", nil, nil, &c)
	return c, err
}

// list returns the containers with a label, running or not.
func (e *engine) list(ctx context.Context, label string) ([]listed, error) {
	var found []listed
	query := url.Values{"all": {"true"}, "filters": {filters(map[string][]string{"label": {label}})}}
	err := e.call(ctx, http.MethodGet, "/containers/json", query, nil, &found)
	return found, err
}

func (e *engine) create(ctx context.Context, name string, body containerBody) (id string, warnings []string, err error) {
	var made struct {
		ID       string `json:"Id"`
		Warnings []string
	}
	err = e.call(ctx, http.MethodPost, "/containers/create", url.Values{"name": {name}}, body, &made)
	return made.ID, made.Warnings, err
}

func (e *engine) start(ctx context.Context, id string) error {
	return e.call(ctx, http.MethodPost, "/containers/"+id+"/start", nil, nil, nil)
}

// kill sends a signal. A container that does not run is no error.
func (e *engine) kill(ctx context.Context, id, signal string) error {
	err := e.call(ctx, http.MethodPost, "/containers/"+id+"/kill", url.Values{"signal": {signal}}, nil, nil)
	if refusedWith(err, http.StatusConflict) || refusedWith(err, http.StatusNotFound) {
		return nil
	}
	return err
}

// wait returns when a container does not run, at once if it does not already.
func (e *engine) wait(ctx context.Context, id string) error {
	answer, err := e.open(ctx, http.MethodPost, "/containers/"+id+"/wait", url.Values{"condition": {"not-running"}}, nil, "")
	if refusedWith(err, http.StatusNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer answer.Close()
	var ended struct{ StatusCode int }
	if err := json.NewDecoder(io.LimitReader(answer, answerLimit)).Decode(&ended); err != nil {
		return e.unreachable(ctx, err)
	}
	return nil
}

// remove removes a container, which may run, with its log. One that is not there is no error.
func (e *engine) remove(ctx context.Context, id string) error {
	err := e.call(ctx, http.MethodDelete, "/containers/"+id, url.Values{"force": {"true"}, "v": {"true"}}, nil, nil)
	if refusedWith(err, http.StatusNotFound) {
		return nil
	}
	return err
}

// rename gives a container another name.
func (e *engine) rename(ctx context.Context, id, name string) error {
	return e.call(ctx, http.MethodPost, "/containers/"+id+"/rename", url.Values{"name": {name}}, nil, nil)
}

// logs opens the log of a container as frames with times, from its beginning.
func (e *engine) logs(ctx context.Context, id string, follow bool) (io.ReadCloser, error) {
	query := url.Values{"stdout": {"true"}, "stderr": {"true"}, "timestamps": {"true"}, "follow": {strconv.FormatBool(follow)}}
	return e.open(ctx, http.MethodGet, "/containers/"+id+"/logs", query, nil, "")
}

// events opens the stream of what happens to containers with a label.
func (e *engine) events(ctx context.Context, label string) (io.ReadCloser, error) {
	query := url.Values{"filters": {filters(map[string][]string{
		"type": {"container"}, "label": {label}, "event": {"die", "died", "destroy", "remove"},
	})}}
	return e.open(ctx, http.MethodGet, "/events", query, nil, "")
}

func (e *engine) image(ctx context.Context, reference string) (image, error) {
	var i image
	err := e.call(ctx, http.MethodGet, "/images/"+reference+"/json", nil, nil, &i)
	if i.ID != "" && !strings.HasPrefix(i.ID, "sha256:") {
		i.ID = "sha256:" + i.ID // as older Podmans have it
	}
	return i, err
}

// neverRan reports whether a container was made and its program has not run.
func (c container) neverRan() bool {
	return c.State.Status == "created" || c.State.Status == "configured" || c.State.Status == "initialized"
}

// filters encodes what a list is asked for.
func filters(f map[string][]string) string {
	b, err := json.Marshal(f)
	if err != nil {
		panic("docker: filters are texts: " + err.Error())
	}
	return string(b)
}

// podmansOwn is what Podmans put before the name of an image that names no registry: the first
// unless their compat_api_enforce_docker_hub is off.
var podmansOwn = []string{"docker.io/", "localhost/"}

// references returns the names of the images that match a pattern, as they were given.
func (e *engine) references(ctx context.Context, pattern string) ([]string, error) {
	var found []struct{ RepoTags []string }
	query := url.Values{"filters": {filters(map[string][]string{"reference": {pattern}})}}
	if err := e.call(ctx, http.MethodGet, "/images/json", query, nil, &found); err != nil {
		return nil, err
	}
	var names []string
	for _, i := range found {
		for _, name := range i.RepoTags {
			for _, prefix := range podmansOwn {
				name = strings.TrimPrefix(name, prefix)
			}
			names = append(names, name)
		}
	}
	return names, nil
}

// removeImage takes a name away from an image, and removes it if that was its last one. One
// that is not there is no error.
func (e *engine) removeImage(ctx context.Context, reference string) error {
	err := e.call(ctx, http.MethodDelete, "/images/"+reference, nil, nil, nil)
	if refusedWith(err, http.StatusNotFound) {
		return nil
	}
	return err
}

// loadImage gives the Engine an archive with one image. What it says against it, also while it
// answers already, is a refusal.
func (e *engine) loadImage(ctx context.Context, archive io.Reader) error {
	answer, err := e.open(ctx, http.MethodPost, "/images/load", url.Values{"quiet": {"true"}}, archive, "application/x-tar")
	if err != nil {
		return err
	}
	defer answer.Close()
	for in := json.NewDecoder(io.LimitReader(answer, answerLimit)); ; {
		var said struct {
			Error string `json:"error"`
		}
		switch err := in.Decode(&said); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return e.unreachable(ctx, err)
		case said.Error != "":
			return &refusal{status: http.StatusOK, message: said.Error}
		}
	}
}
