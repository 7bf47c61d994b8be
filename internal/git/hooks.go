package git

import (
	"errors"
	"os"
	"path/filepath"
)

// Names in the directory of the repositories that no service can have. Package watch has one there,
// too.
const (
	hooksDir   = ".hooks"
	emptyDir   = ".empty.git"
	newDir     = ".new"
	removedDir = ".removed"
)

// hook is what git runs when refs are about to move, and when they have moved. It starts no
// other program: it gives the server what it knows, over descriptor 4, and reads from
// descriptor 3 what to show ("|text") until the server says yes or no.
const hook = `#!/bin/sh
# Written by andon. The server that runs git listens at the other end of descriptors 3 and 4.
{
	printf '%s\n' "${0##*/}"
	printf '%s\n' "${GIT_OBJECT_DIRECTORY-}"
	printf '%s\n' "${GIT_ALTERNATE_OBJECT_DIRECTORIES-}"
	printf '%s\n' "${GIT_QUARANTINE_PATH-}"
	while IFS= read -r line; do printf '%s\n' "$line"; done
	echo .
} >&4 || exit 1
while IFS= read -r line <&3; do
	case $line in
	yes) exit 0 ;;
	no) exit 1 ;;
	*) printf '%s\n' "${line#|}" >&2 ;;
	esac
done
echo "andon: the plant went away" >&2
exit 1
`

// writeHooks writes the hooks where git looks for them, in place of those of an older version.
func (g *Git) writeHooks() error {
	if err := os.MkdirAll(g.hooks, 0o700); err != nil {
		return err
	}
	for _, name := range []string{preReceive, postReceive} {
		file := filepath.Join(g.hooks, name)
		if err := os.WriteFile(file+".new", []byte(hook), 0o700); err != nil {
			return err
		}
		if err := os.Rename(file+".new", file); err != nil {
			return err
		}
	}
	return nil
}

// dropUnfinished deletes what first pushes left that a crash cut off before they were accepted.
func (g *Git) dropUnfinished() error {
	dir := filepath.Join(g.Dir, newDir)
	return errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700))
}
