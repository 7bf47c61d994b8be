package registry

import "strings"

// A pathKind is what the path of a request is about.
type pathKind int

const (
	otherPath    pathKind = iota
	manifestPath          // /v2/NAME/manifests/REFERENCE
	blobPath              // /v2/NAME/blobs/DIGEST
	uploadPath            // /v2/NAME/blobs/uploads/ID
)

// A place is where in the registry a request goes to.
type place struct {
	kind      pathKind
	reference string // a tag or a digest
}

// parsePath reads the path of a request as the library's router does: the last words decide.
func parsePath(path string) place {
	words := strings.Split(strings.Trim(path, "/"), "/")
	n := len(words)
	switch {
	case n >= 5 && words[n-3] == "blobs" && words[n-2] == "uploads":
		return place{uploadPath, words[n-1]}
	case n >= 4 && words[n-2] == "blobs":
		return place{blobPath, words[n-1]}
	case n >= 4 && words[n-2] == "manifests":
		return place{manifestPath, words[n-1]}
	default:
		return place{}
	}
}
