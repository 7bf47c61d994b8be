// Package secret keeps what the plant must know and nobody may read: credentials of private
// repositories, one file each, readable by the plant's own user alone.
package secret

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/andon-cd/andon/internal/andon"
)

// A Credential is what a private repository, or a sender of webhooks, asks for.
type Credential struct {
	User   string `json:"user,omitempty"`
	Token  string `json:"token,omitempty"`
	SSHKey string `json:"ssh_key,omitempty"`
	// Hook signs the webhooks that the repository's host sends.
	Hook string `json:"hook,omitempty"`
}

// A Store is a directory of credentials by service.
type Store struct{ root *os.Root }

// Open opens the store in a directory, which it creates if it is missing.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of secrets: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("closing the directory of secrets to others: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the directory of secrets: %w", err)
	}
	return &Store{root: root}, nil
}

// Put keeps the credential of a service, durably, in place of an older one.
func (s *Store) Put(service andon.ServiceName, c Credential) error {
	if !andon.ValidName(string(service)) {
		return andon.Errorf(andon.KindInvalid, "%q is not the name of a service", service).WithHint(andon.NameRule)
	}
	data, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encoding a credential: %w", err)
	}
	name := fileOf(service)
	if err := s.write(name+".new", data); err != nil {
		return fmt.Errorf("writing the credential of %s: %w", service, err)
	}
	if err := s.root.Rename(name+".new", name); err != nil {
		return fmt.Errorf("keeping the credential of %s: %w", service, err)
	}
	return s.syncDirectory()
}

// Get returns the credential of a service; without one, the zero value.
func (s *Store) Get(service andon.ServiceName) (Credential, error) {
	if !andon.ValidName(string(service)) {
		return Credential{}, nil
	}
	data, err := s.root.ReadFile(fileOf(service))
	if errors.Is(err, fs.ErrNotExist) {
		return Credential{}, nil
	}
	if err != nil {
		return Credential{}, fmt.Errorf("reading the credential of %s: %w", service, err)
	}
	var c Credential
	if err := json.Unmarshal(data, &c); err != nil {
		return Credential{}, fmt.Errorf("the credential of %s is damaged: add the service again", service)
	}
	return c, nil
}

// Delete forgets the credential of a service.
func (s *Store) Delete(service andon.ServiceName) error {
	if !andon.ValidName(string(service)) {
		return nil
	}
	if err := s.root.Remove(fileOf(service)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the credential of %s: %w", service, err)
	}
	return s.syncDirectory()
}

// Close ends the use of the store.
func (s *Store) Close() error { return s.root.Close() }

func fileOf(service andon.ServiceName) string { return string(service) + ".json" }

func (s *Store) write(name string, data []byte) error {
	f, err := s.root.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

func (s *Store) syncDirectory() error {
	d, err := s.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
