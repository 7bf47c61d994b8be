package haproxy

import (
	"encoding/json"
	"os"
	"path/filepath"
)

const tableName = "table.json"

// load returns what an earlier driver has saved; nil if there is nothing, or nothing that can
// be read: then a HAProxy that runs cannot be told what it counted for, and is replaced.
func load(dir string) *table {
	text, err := os.ReadFile(filepath.Join(dir, tableName))
	if err != nil {
		return nil
	}
	t := &table{}
	if json.Unmarshal(text, t) != nil || t.Books == nil {
		return nil
	}
	if t.Key == "" {
		t.Key = newKey()
	}
	for i, b := range t.Backends {
		if b == nil || b.Number != i+1 {
			return nil
		}
	}
	for _, r := range append(t.Routes, t.Next...) {
		if r.Backend < 1 || r.Backend > len(t.Backends) || r.Own < 0 || r.Own > len(t.Ports) {
			return nil
		}
	}
	return t
}

// newTable returns one that knows of nothing.
func newTable(c Config) *table {
	t := &table{Books: map[string]*book{}, Ports: make([]int, c.Places), Key: newKey()}
	for n := range c.Backends {
		t.Backends = append(t.Backends, &backend{Number: n + 1})
	}
	return t
}

// write puts a file in the place of an older one. It is not synced to disk: it must outlive the
// process, not the machine, whose copies would be gone as well.
func write(dir, name, text string) error {
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
