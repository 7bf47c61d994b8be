package server

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/andon-cd/andon/internal/andon"
)

// format is the number of the data directory's layout. A newer one is refused.
const format = 1

// Prepare makes the directory if it is missing and checks that this program can use it.
func (d Directory) Prepare() error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return d.unusable(err)
	}
	data, err := os.ReadFile(d.Format())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return d.write(d.Format(), []byte(strconv.Itoa(format)+"\n"))
	case err != nil:
		return d.unusable(err)
	}
	found, err := strconv.Atoi(strings.TrimSpace(string(data)))
	switch {
	case err != nil:
		return andon.Errorf(andon.KindInvalid, "%s does not hold a number: this is not the data directory of a plant", d.Format())
	case found > format:
		return andon.Errorf(andon.KindInvalid, "the data directory %s is from a newer version of andon (format %d, this one knows %d)", d, found, format).
			WithHint("use the newer andon, or restore a backup that this version made")
	}
	return nil
}

func (d Directory) unusable(err error) error {
	kind := andon.KindUnavailable // the disk may be full
	if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		kind = andon.KindInvalid
	}
	return andon.Errorf(kind, "the data directory %s cannot be used: %s", d, reason(err)).
		WithHint("choose another one with --data, or correct its permissions").Because(err)
}

// Hold takes the directory for this process until release is called, or fails when another
// process has it.
func (d Directory) Hold() (release func(), err error) {
	f, err := os.OpenFile(d.Lock(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, d.unusable(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, andon.Errorf(andon.KindConflict, "another andon server uses the data directory %s", d).
			WithHint("stop it with `andon down --data %s`, or choose another directory with --data", d).Because(err)
	}
	return func() { f.Close() }, nil // closing gives the lock back
}

// Held reports whether a process has the directory.
func (d Directory) Held() bool {
	release, err := d.Hold()
	if err != nil {
		return andon.KindOf(err) == andon.KindConflict
	}
	release()
	return false
}

// ReadAddresses returns where the plant of the directory was last reached.
func (d Directory) ReadAddresses() (Addresses, error) {
	data, err := os.ReadFile(d.Addresses())
	if err != nil {
		return Addresses{}, err
	}
	var a Addresses
	if err := json.Unmarshal(data, &a); err != nil {
		return Addresses{}, fmt.Errorf("reading %s: %w", d.Addresses(), err)
	}
	return a, nil
}

func (d Directory) writeAddresses(a Addresses) error {
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return d.write(d.Addresses(), append(data, '\n'))
}

// token returns the token in a file, which it makes on the first start: 32 random bytes.
func (d Directory) token(file, prefix string) (string, error) {
	data, err := os.ReadFile(file)
	if err == nil {
		if token := strings.TrimSpace(string(data)); token != "" {
			return token, nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", d.unusable(err)
	}
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails (crypto/rand)
	token := prefix + base64.RawURLEncoding.EncodeToString(random)
	return token, d.write(file, []byte(token+"\n"))
}

// keep writes a file that does not say so already.
func (d Directory) keep(file string, data []byte) error {
	if there, err := os.ReadFile(file); err == nil && bytes.Equal(there, data) {
		return nil
	}
	return d.write(file, data)
}

// write replaces a file of the directory, durably, readable by its owner alone.
func (d Directory) write(file string, data []byte) error {
	f, err := os.OpenFile(file+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return d.unusable(err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return d.unusable(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return d.unusable(err)
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return d.unusable(err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}
