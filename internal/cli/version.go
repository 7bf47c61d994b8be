package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is the release, set by the linker. See build.
var version = ""

type versionCmd struct{}

// A build is what `andon version --json` prints.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Run says which andon this is.
func (cmd *versionCmd) Run(c *call) error {
	b := thisBuild()
	if c.json {
		c.sayJSON(c.out, b)
		return nil
	}
	commit := ""
	if b.Commit != "" {
		commit = ", commit " + short(b.Commit)
	}
	fmt.Fprintf(c.out, "andon %s (%s, %s%s)\n", b.Version, b.Platform, b.Go, commit)
	return nil
}

// thisBuild returns what is known about this binary: what the linker was told, else what Go
// records by itself.
func thisBuild() build {
	b := build{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.Commit = s.Value
			}
		}
		if b.Version == "" && info.Main.Version != "(devel)" {
			b.Version = info.Main.Version
		}
	}
	b.Version = first(b.Version, "development")
	return b
}
