package andon

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A ServiceName names one independently deployable thing: a lower-case letter,
// then up to 38 lower-case letters, digits or single hyphens (it becomes a DNS label).
type ServiceName string

// An EnvironmentName names a place where services run, with the same form as a ServiceName.
type EnvironmentName string

// An AgentName names an agent, and the host that it acts on, with the same form as a ServiceName.
type AgentName string

// A TeamName names those who are responsible for services, with the same form as a ServiceName.
type TeamName string

// A StageName names a stage of a pipeline, unique in it.
type StageName string

// CommitStageName is the name of the first stage of every pipeline.
const CommitStageName StageName = "commit"

// A JobName names a job, unique in its stage.
type JobName string

// A VersionNumber counts the versions of one service, from 1.
type VersionNumber int64

// A CommitID is a full git object name: 40 (SHA-1) or 64 (SHA-256) hexadecimal digits.
type CommitID string

// Short returns the first ten digits of the commit, for people.
func (c CommitID) Short() string {
	if len(c) > 10 {
		return string(c[:10])
	}
	return string(c)
}

// A Digest is an OCI digest, "sha256:" and 64 hexadecimal digits.
type Digest string

// A ConfigHash identifies the resolved run specification that a copy was started with:
// "sha256:" and 64 hexadecimal digits. See RunSpec.Hash.
type ConfigHash string

// A Seq is a position in the journal. The first event has Seq 1.
type Seq int64

// An Actor is who caused an event: a person, an agent ("agent:local"), a push
// ("git:alice@example.com"), or the line itself (ActorLine).
type Actor string

// ActorLine is the actor of what follows by rule, not by anybody's command.
const ActorLine Actor = "andon"

// A VersionRef names one version of one service.
type VersionRef struct {
	Service ServiceName   `json:"service"`
	Number  VersionNumber `json:"number"`
}

// String returns the version as people write it: "shop 42".
func (v VersionRef) String() string { return string(v.Service) + " " + v.Number.String() }

// String returns the number in decimal.
func (n VersionNumber) String() string { return strconv.FormatInt(int64(n), 10) }

// A Place is one service in one environment: what a deployment changes, and what is locked while it does.
type Place struct {
	Service     ServiceName     `json:"service"`
	Environment EnvironmentName `json:"environment"`
}

// String returns the place as people write it: "shop in production".
func (p Place) String() string { return string(p.Service) + " in " + string(p.Environment) }

// Key returns the place as a key of maps, paths and files: "shop.production".
func (p Place) Key() string { return string(p.Service) + "." + string(p.Environment) }

// A DeploymentID names a deployment: SERVICE.ENVIRONMENT.N, N counting from 1 in its place.
type DeploymentID string

// NewDeploymentID returns the ID of the nth deployment to a place.
func NewDeploymentID(p Place, n int64) DeploymentID {
	return DeploymentID(fmt.Sprintf("%s.%d", p.Key(), n))
}

// A GroupID names the copies that one deployment brought up: the deployment's own ID.
type GroupID string

// An InstanceID names one copy of a group: GROUP.I, I counting from 0.
type InstanceID string

// NewInstanceID returns the ID of the ith copy of a group.
func NewInstanceID(g GroupID, i int) InstanceID {
	return InstanceID(fmt.Sprintf("%s.%d", g, i))
}

var instancePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*$`)

// Valid reports whether an ID may become the name of a directory and of a container.
func (id InstanceID) Valid() bool {
	return len(id) <= 200 && instancePattern.MatchString(string(id))
}

// A TaskID names a task: SERVICE.NUMBER.STAGE.JOB.RUN for a job, DEPLOYMENT.smoke.N for
// a smoke test. The same decision always gives the same ID.
type TaskID string

// A CordID names one pull of the cord: "cord-N", N counting from 1 in the plant.
type CordID string

// NamePattern is the form of what ValidName accepts, of any length: every command compiles it when it
// starts, which would take a multiple of the time with the bound in it.
var NamePattern = regexp.MustCompile(`^[a-z](?:-?[a-z0-9])*$`)

// LongestName is how many characters a name may have.
const LongestName = 39

// ValidName reports whether s may name a service, an environment, an agent, a stage or a job.
func ValidName(s string) bool { return len(s) <= LongestName && NamePattern.MatchString(s) }

// NameRule says in words what ValidName accepts, for error messages.
const NameRule = "a name is a lower-case letter followed by at most 38 lower-case letters, digits and single hyphens"

// Valid reports whether d has the form of a digest.
func (d Digest) Valid() bool {
	digits, ok := strings.CutPrefix(string(d), "sha256:")
	return ok && len(digits) == 64 && hexadecimal(digits)
}

// Short returns the first twelve hexadecimal digits of the digest, for people.
func (d Digest) Short() string {
	hex := strings.TrimPrefix(string(d), "sha256:")
	if len(hex) > 12 {
		return hex[:12]
	}
	return hex
}

// Valid reports whether c is a full git object name.
func (c CommitID) Valid() bool { return (len(c) == 40 || len(c) == 64) && hexadecimal(string(c)) }

// BeginsCommit reports whether s may be the beginning of a commit, as people write it: at least four
// digits.
func BeginsCommit(s string) bool { return len(s) >= 4 && len(s) <= 64 && hexadecimal(s) }

func hexadecimal(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }
