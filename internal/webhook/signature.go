package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// tolerance is how far the time in a Standard Webhook may be from ours: an older one is a replay.
const tolerance = 5 * time.Minute

// hexHeaders hold the HMAC-SHA256 of the body in hexadecimal digits, perhaps behind "sha256=":
// GitHub (and Gitea, Forgejo), Bitbucket, then those hosts' own names for it.
var hexHeaders = []string{"X-Hub-Signature-256", "X-Hub-Signature", "X-Forgejo-Signature", "X-Gitea-Signature", "X-Gogs-Signature"}

// signed reports whether a webhook carries the signature that the secret makes, in one of the
// forms of the known hosts. It reads the body.
func signed(header http.Header, body io.Reader, secret string, now time.Time) bool {
	if token := header.Get("X-Gitlab-Token"); token != "" {
		return equal([]byte(token), []byte(secret))
	}
	if given := header.Get("Webhook-Signature"); given != "" {
		return standard(header, given, body, secret, now)
	}
	for _, name := range hexHeaders {
		given, ok := strings.CutPrefix(header.Get(name), "sha256=")
		if given == "" || !ok && strings.HasPrefix(name, "X-Hub-") {
			continue
		}
		mac := hmac.New(sha256.New, []byte(secret))
		sum, ok := sumOf(mac, body)
		return ok && equal([]byte(strings.ToLower(given)), []byte(hex.EncodeToString(sum)))
	}
	return false
}

// standard checks a Standard Webhook: "v1,BASE64" of the HMAC-SHA256 of ID.TIMESTAMP.BODY, of
// which there may be several.
func standard(header http.Header, given string, body io.Reader, secret string, now time.Time) bool {
	id, stamp := header.Get("Webhook-Id"), header.Get("Webhook-Timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > tolerance {
		return false
	}
	key := []byte(secret)
	if encoded, ok := strings.CutPrefix(secret, "whsec_"); ok {
		if key, err = base64.StdEncoding.DecodeString(encoded); err != nil {
			return false
		}
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + stamp + "."))
	sum, ok := sumOf(mac, body)
	if !ok {
		return false
	}
	want := []byte("v1," + base64.StdEncoding.EncodeToString(sum))
	found := false
	for one := range strings.FieldsSeq(given) {
		found = equal([]byte(one), want) || found
	}
	return found
}

// sumOf adds the body to a hash; false if the body cannot be read to its end.
func sumOf(mac hash.Hash, body io.Reader) ([]byte, bool) {
	if _, err := io.Copy(mac, body); err != nil {
		return nil, false
	}
	return mac.Sum(nil), true
}

func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
