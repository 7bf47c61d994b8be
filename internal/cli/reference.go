package cli

import (
	"regexp"
	"slices"
	"strings"
)

// splitVersion splits SERVICE@VERSION; without an @ the version is empty.
func splitVersion(s string) (service, version string) {
	service, version, _ = strings.Cut(s, "@")
	return service, version
}

var (
	deploymentForm = regexp.MustCompile(`^([a-z][a-z0-9-]*)\.([a-z][a-z0-9-]*)\.[0-9]+$`)
	cordForm       = regexp.MustCompile(`^cord-[0-9]+$`)
)

// A subject is what a verb is done to: a version, perhaps at a stage, or a deployment.
type subject struct {
	service, version, stage string
	deployment              string
}

// subjectOf reads the words behind a verb, of which those at the end may be empty: DEPLOYMENT,
// SERVICE VERSION [STAGE], or SERVICE@VERSION [STAGE].
func subjectOf(words ...string) (subject, bool) {
	service, version := splitVersion(words[0])
	rest := slices.DeleteFunc(words[1:], func(w string) bool { return w == "" })
	if deploymentForm.MatchString(service) && version == "" {
		return subject{deployment: service}, len(rest) == 0
	}
	if version == "" && len(rest) > 0 {
		version, rest = rest[0], rest[1:]
	}
	s := subject{service: service, version: version}
	if len(rest) > 0 {
		s.stage, rest = rest[0], rest[1:]
	}
	return s, version != "" && len(rest) == 0
}
