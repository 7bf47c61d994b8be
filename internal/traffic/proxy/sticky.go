package proxy

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// stickyKeySize is the length of the key in DIR/sticky.key, by which every proxy of the
// directory makes the same cookies.
const stickyKeySize = 32

func loadStickyKey(dir string) ([]byte, error) {
	path := filepath.Join(dir, "sticky.key")
	key, err := os.ReadFile(path)
	if err == nil && len(key) == stickyKeySize {
		return key, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	key = make([]byte, stickyKeySize)
	_, _ = rand.Read(key) // never fails
	temporary := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.WriteFile(temporary, key, 0o600); err != nil {
		return nil, err
	}
	return key, os.Rename(temporary, path)
}

// stick gives each target of the route the value of its cookie: a code of its name that says
// nothing to whoever has not the key, and that nobody else can make.
func (r *route) stick(key []byte) {
	r.sticky = make(map[string]*choice, len(r.targets))
	for i := range r.targets {
		c := &r.targets[i]
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s\n%s", r.spec.Place.Key(), c.instance)
		c.cookie = base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
		r.sticky[c.cookie] = c
	}
}

// stuck returns the target that the request's cookie leads to, nil if that takes no requests of
// this route any more, or has just refused a connection.
func (r *route) stuck(request *http.Request) *choice {
	for _, line := range request.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			name, value, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
			if name != r.spec.Sticky {
				continue
			}
			if c := r.sticky[value]; c != nil && c.suspect.Load() <= int64(clock()) {
				return c
			}
		}
	}
	return nil
}

// tell gives the client the cookie of the copy that has answered.
func (f *flight) tell(header http.Header, from origin, r *http.Request) {
	if f.cookie == "" {
		return
	}
	cookie := f.cookieName + "=" + f.cookie + "; Path=/; HttpOnly; SameSite=Lax"
	if from.scheme(r) == "https" {
		cookie += "; Secure"
	}
	header["Set-Cookie"] = append(header["Set-Cookie"], cookie)
}
