package haproxy

import (
	"os"
	"path/filepath"
)

// atShortPath calls f with a path of the socket that the kernel accepts: it takes about a
// hundred bytes, and data directories can be deep. For a longer one f gets a path through a
// symbolic link, which exists only during the call, in a directory that is this user's alone.
func atShortPath(path string, f func(short string) error) error {
	const longest = 100
	if len(path) <= longest {
		return f(path)
	}
	temp, err := os.MkdirTemp("/tmp", "andon-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temp) }()
	link := filepath.Join(temp, "d")
	if err := os.Symlink(filepath.Dir(path), link); err != nil {
		return err
	}
	return f(filepath.Join(link, filepath.Base(path)))
}
