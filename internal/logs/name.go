package logs

import (
	"regexp"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
)

const (
	partSuffix  = ".part"
	doneSuffix  = ".log"
	indexSuffix = ".idx"

	maxSegments = 6
	longestName = 200 // of a segment, in bytes
)

// A segment begins with a letter or digit, so "", "." and ".." are none.
var segmentPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// checkName refuses a name of a stream that is not a plain relative path. The os.Root beneath
// would keep a hostile one inside the directory too; this gives it a clear answer.
func checkName(stream string) error {
	segments := strings.Split(stream, "/")
	ok := len(segments) <= maxSegments
	for _, s := range segments {
		ok = ok && len(s) <= longestName && segmentPattern.MatchString(s)
	}
	if !ok {
		return andon.Errorf(andon.KindInvalid, "%.100q does not name a log", stream).
			WithHint("a log is named like task/shop.42.commit.test.1/1 or instance/shop.production.7.0")
	}
	return nil
}
