package runner

import (
	"maps"
	"os"
	"slices"
	"strconv"

	"github.com/andon-cd/andon/internal/andon"
)

// A Variable is one that every step finds in its environment.
type Variable struct{ Name, Meaning string }

// Variables lists what Andon itself puts into the environment of a step. The job's own env comes
// on top of it; nothing else of the agent's environment is passed on but Passed.
func Variables() []Variable {
	return []Variable{
		{"ANDON", "always 1"},
		{"CI", "always true"},
		{"ANDON_SERVICE", "the service"},
		{"ANDON_VERSION", "the number of the version"},
		{"ANDON_COMMIT", "the full commit"},
		{"ANDON_BRANCH", "the branch that the version was pushed to"},
		{"ANDON_STAGE", "the stage"},
		{"ANDON_JOB", "the job"},
		{"ANDON_TASK", "the task, a name that is unique in the plant"},
		{"ANDON_ATTEMPT", "1, and one more after the agent was lost in the middle"},
		{"ANDON_WORKSPACE", "the checkout, which is also the working directory"},
		{"ANDON_CACHE", "a directory that the agent keeps for the service between jobs"},
		{"ANDON_ENVIRONMENT", "the environment that the stage deployed to, if it did"},
		{"ANDON_URL", "in a smoke test: the address of the copy under test; in a job of a stage that deployed: an address of the service in that environment, through the proxy"},
		{"ANDON_HOST", "the host name by which the proxy knows the service in that environment"},
		{"TMPDIR", "a directory for temporary files that ends with the job"},
	}
}

// Passed lists what is passed on from the agent's own environment: what toolchains need to work,
// and nothing that could be a secret of the plant.
func Passed() []string {
	return []string{
		"PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ",
		"GOPROXY", "GOFLAGS", "GONOSUMDB", "GONOSUMCHECK", "GOSUMDB", "GOTOOLCHAIN", "GOCACHE", "GOMODCACHE", "GOPATH", "GOROOT",
		"NPM_CONFIG_REGISTRY", "npm_config_registry",
		"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
		"SSL_CERT_FILE", "SSL_CERT_DIR",
	}
}

// stepEnvironment returns the environment of the steps of a job as sorted NAME=VALUE.
func stepEnvironment(lease andon.Lease, at Surroundings, workspace, cache, temporary string) []string {
	task := lease.Task
	env := map[string]string{}
	for _, name := range Passed() {
		if value, ok := os.LookupEnv(name); ok {
			env[name] = value
		}
	}
	maps.Copy(env, task.Env)
	maps.Copy(env, map[string]string{
		"ANDON":           "1",
		"CI":              "true",
		"ANDON_SERVICE":   string(task.Version.Service),
		"ANDON_VERSION":   task.Version.Number.String(),
		"ANDON_COMMIT":    string(task.Commit),
		"ANDON_TASK":      string(task.ID),
		"ANDON_ATTEMPT":   strconv.Itoa(lease.Attempt),
		"ANDON_WORKSPACE": workspace,
		"ANDON_CACHE":     cache,
		"TMPDIR":          temporary,
	})
	set := func(name, value string) {
		if value != "" {
			env[name] = value
		}
	}
	set("ANDON_STAGE", string(task.Stage))
	set("ANDON_JOB", string(task.Job))
	set("ANDON_ENVIRONMENT", string(task.Target))
	set("ANDON_HOST", at.RouteHost)
	set("ANDON_URL", at.RouteURL)
	set("ANDON_URL", at.CopyURL)
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}
