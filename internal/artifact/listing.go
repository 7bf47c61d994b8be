package artifact

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

const (
	contentDir  = "content" // below an entry of the cache: the files
	listingFile = "files"   // beside it: what they were when they were unpacked
)

// errDamaged says that an entry of the cache is not what was unpacked.
var errDamaged = errors.New("the unpacked artifact was changed")

// writeListing notes what each file below an entry's content is.
func writeListing(entry string) error {
	var list bytes.Buffer
	content := filepath.Join(entry, contentDir)
	err := filepath.WalkDir(content, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(content, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(&list, "%s %s\n", describeFile(info), strconv.Quote(relative))
		return nil
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(entry, listingFile), list.Bytes(), 0o444)
}

// verify compares the files of an entry with its listing: nil, all of them are as they were
// unpacked; what was added, such as what an interpreter keeps, does not matter.
func verify(entry string) error {
	list, err := os.Open(filepath.Join(entry, listingFile))
	if err != nil {
		return err
	}
	defer list.Close()
	lines := bufio.NewScanner(list)
	lines.Buffer(nil, 64<<10)
	for lines.Scan() {
		want, quoted, ok := bytes.Cut(lines.Bytes(), []byte(" "))
		if !ok {
			return errDamaged
		}
		relative, err := strconv.Unquote(string(quoted))
		if err != nil {
			return errDamaged
		}
		info, err := os.Lstat(filepath.Join(entry, contentDir, relative))
		if err != nil {
			return err
		}
		if describeFile(info) != string(want) {
			return fmt.Errorf("%w: %s", errDamaged, relative)
		}
	}
	return lines.Err()
}

// describeFile tells a file from what it was before it was changed. A directory changes with what
// is added to it.
func describeFile(info fs.FileInfo) string {
	if info.IsDir() {
		return "d"
	}
	return fmt.Sprintf("%o:%d:%d", info.Mode(), info.Size(), info.ModTime().UnixNano())
}
