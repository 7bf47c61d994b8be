package docker

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// findTimeout bounds how long one Engine is asked whether it is there. Docker runs other programs to
// say its version, which takes it seconds on a host that is busy.
const findTimeout = 10 * time.Second

// A Found is an Engine that answers.
type Found struct {
	Socket  string
	Product string // Docker or Podman
	Version string // of the product
}

// Ask asks an Engine what it is. Its error says why it cannot be used; an error of kind
// andon.KindUnreachable, that nothing answers there now.
func Ask(ctx context.Context, socket string) (Found, error) {
	e := newEngine(socket)
	defer e.close()
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	v, err := e.known(ctx)
	if err != nil {
		return Found{}, err
	}
	f := Found{Socket: socket, Product: "Docker", Version: v.Version}
	if v.has(componentPodman) {
		f.Product = "Podman"
	}
	return f, nil
}

// Sockets returns where the engines of this machine listen that are there, the likeliest first:
// what DOCKER_HOST names, Docker's and Podman's own places, and those of this user alone.
func Sockets(getenv func(string) string) []string {
	var places []string
	if socket, ok := strings.CutPrefix(getenv("DOCKER_HOST"), "unix://"); ok {
		places = append(places, socket)
	}
	places = append(places, "/var/run/docker.sock", "/run/podman/podman.sock")
	if dir := getenv("XDG_RUNTIME_DIR"); dir != "" {
		places = append(places, filepath.Join(dir, "docker.sock"), filepath.Join(dir, "podman", "podman.sock"))
	}
	if home := getenv("HOME"); home != "" {
		places = append(places, filepath.Join(home, ".docker", "run", "docker.sock"))
	}
	var there []string
	for _, path := range places {
		if info, err := os.Stat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
			there = append(there, path)
		}
	}
	return there
}

// Left returns the socket of the Engine that has copies of a directory's driver; empty: there
// are none.
func Left(dir string) string {
	copies, err := os.ReadDir(filepath.Join(dir, copiesDir))
	if err != nil || len(copies) == 0 {
		return ""
	}
	socket, err := os.ReadFile(filepath.Join(dir, socketFile))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(socket))
}
