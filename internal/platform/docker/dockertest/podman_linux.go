package dockertest

import (
	"os"
	"os/exec"
	"path/filepath"
)

// MissingPodman says why no Podman can be started here; empty: one can.
func MissingPodman() string {
	if os.Getuid() != 0 {
		return "only root can start a Podman"
	}
	if _, err := exec.LookPath("podman"); err != nil {
		return "podman is not installed: scripts/setup installs it"
	}
	return ""
}

// StartPodman starts Podman's service in a directory, which is made, as Start starts Docker's.
func StartPodman(dir string) (*Engine, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	settings := filepath.Join(dir, "containers.conf")
	if err := os.WriteFile(settings, []byte(podmanSettings), 0o600); err != nil {
		return nil, err
	}
	e := &Engine{dir: dir, program: "podman", env: []string{"CONTAINERS_CONF=" + settings}, flags: []string{
		"--root", filepath.Join(dir, podmanRoot), "--runroot", filepath.Join(dir, "run"),
		"--cgroup-manager", "cgroupfs", "system", "service", "--time", "0", "unix://" + socket(dir),
	}}
	return e, e.Start()
}

const podmanRoot = "root" // below the directory of a Podman

// podmanSettings let a Podman do without systemd, the journal and the right to raise limits, which
// not every machine of tests has; and with Docker's runtime, which takes control groups of both
// versions side by side, as crun does not.
const podmanSettings = `
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
log_driver = "k8s-file"
[engine]
runtime = "runc"
events_logger = "file"
`

// podmanContainers returns the control groups, below all that is Podman's, of the containers that
// the Podman in a directory knows.
func podmanContainers(dir string) []string {
	known, _ := filepath.Glob(filepath.Join(dir, podmanRoot, "*-containers", "*", "userdata"))
	groups := make([]string, 0, len(known))
	for _, path := range known {
		groups = append(groups, "libpod-"+filepath.Base(filepath.Dir(path)))
	}
	return groups
}
