package registry

import (
	"io"
	"os"

	"github.com/opencontainers/go-digest"
)

// mend takes content away that is not what its digest says any more: a disk has changed it. Whoever
// brings the same again is then asked for it, instead of being told that it is there. It reads all
// of the content, so it is for those who bring something, which is seldom.
func (r *Registry) mend(d digest.Digest) {
	if d.Validate() != nil {
		return // a tag, or nonsense that the library answers
	}
	r.mending.Lock()
	defer r.mending.Unlock()
	f, err := os.Open(r.blobFile(d))
	if err != nil {
		return // it is not there
	}
	defer f.Close()
	verifier := d.Verifier()
	if _, err := io.Copy(verifier, f); err == nil && verifier.Verified() {
		return
	}
	_ = os.Remove(r.blobFile(d)) // if that fails, the next who brings it tries again
}
