package proxy

import (
	"hash/maphash"
	"maps"
)

// An index is a map that never changes: with a thousand routes, a change of one copies the
// few entries that lie beside it, not all.
type index[K comparable, V any] struct {
	parts [indexParts]map[K]V
}

const indexParts = 64

var indexSeed = maphash.MakeSeed()

func part[K comparable](key K) uint64 { return maphash.Comparable(indexSeed, key) % indexParts }

func (x *index[K, V]) get(key K) (v V, ok bool) {
	v, ok = x.parts[part(key)][key]
	return v, ok
}

// all yields every entry, in no order.
func (x *index[K, V]) all(yield func(K, V) bool) {
	for _, m := range x.parts {
		for k, v := range m {
			if !yield(k, v) {
				return
			}
		}
	}
}

// edit begins a change. x itself stays as it is.
func (x *index[K, V]) edit() *edit[K, V] { return &edit[K, V]{index: *x} }

// An edit is an index that is being made.
type edit[K comparable, V any] struct {
	index[K, V]
	own uint64 // a bit for each part that is a copy already
}

func (e *edit[K, V]) writable(key K) map[K]V {
	p := part(key)
	if e.own&(1<<p) == 0 {
		e.own |= 1 << p
		e.parts[p] = maps.Clone(e.parts[p])
		if e.parts[p] == nil {
			e.parts[p] = map[K]V{}
		}
	}
	return e.parts[p]
}

func (e *edit[K, V]) set(key K, v V) { e.writable(key)[key] = v }

func (e *edit[K, V]) remove(key K) { delete(e.writable(key), key) }
