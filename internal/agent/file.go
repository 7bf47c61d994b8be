package agent

import (
	"errors"
	"os"
	"path/filepath"
)

// writeFile replaces a file in one step. It survives a power cut.
func writeFile(path string, data []byte) error {
	if err := withRoom(path, func() error { return replaceFile(path, data, true) }); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// replaceFile replaces a file in one step. Without sync it survives the end of this process,
// not a power cut.
func replaceFile(path string, data []byte, sync bool) error {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && sync {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// appendFile writes to the end of a file, which must exist, all of it or nothing. It does not
// survive a power cut.
func appendFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		if _, err = f.Write(data); err != nil {
			err = errors.Join(err, f.Truncate(info.Size()))
		}
	}
	return errors.Join(err, f.Close())
}
