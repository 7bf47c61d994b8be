package artifact

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncTree makes the files below a directory durable: one call for the whole file system costs
// less than one for each of thousands of files.
func syncTree(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Syncfs(int(d.Fd()))
}
