package runner_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/agent/runner"
)

const benchSteps = 50

// BenchmarkFiftySteps runs a job of 50 steps of true in a checkout of no files, clean-up included.
func BenchmarkFiftySteps(b *testing.B) {
	benchJob(b, nil, strings.Split(strings.TrimSpace(strings.Repeat("true\n", benchSteps)), "\n")...)
}

// BenchmarkFiftySteps_Floor is the same as a loop of a shell.
func BenchmarkFiftySteps_Floor(b *testing.B) {
	script := filepath.Join(b.TempDir(), "loop.sh")
	if err := os.WriteFile(script, fmt.Appendf(nil, "i=0; while [ $i -lt %d ]; do /bin/sh -c true; i=$((i+1)); done\n", benchSteps), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := exec.Command("/bin/sh", script).Run(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOneStep is what a job costs besides its steps.
func BenchmarkOneStep(b *testing.B) { benchJob(b, nil, "true") }

// BenchmarkOneStepOfHundredFiles is the same with something to check out and to remove.
func BenchmarkOneStepOfHundredFiles(b *testing.B) {
	files := map[string]string{}
	for i := range 100 {
		files[fmt.Sprintf("pkg%d/file%d.go", i%10, i)] = strings.Repeat("a line of code\n", 50)
	}
	benchJob(b, files, "true")
}

func benchJob(b *testing.B, files map[string]string, scripts ...string) {
	bed := newBed(b, files)
	lease := bed.job(scripts...)
	for b.Loop() {
		lease.Token++
		succeeded(b, bed.runner.Run(b.Context(), lease, runner.Surroundings{Log: io.Discard}), "")
	}
}

const outputLines = 1_000_000

var outputScript = fmt.Sprintf("yes 'a line of a log, as long as one hundred and seven bytes: %s' | head -n %d", strings.Repeat("x", 45), outputLines)

// BenchmarkOutput writes a log of a million lines, 107 MB, from a step to a file.
func BenchmarkOutput(b *testing.B) {
	bed := newBed(b, nil)
	file := filepath.Join(b.TempDir(), "log")
	lease := bed.job(outputScript)
	b.SetBytes(outputLines * 107)
	for b.Loop() {
		log, err := os.Create(file)
		if err != nil {
			b.Fatal(err)
		}
		lease.Token++
		succeeded(b, bed.runner.Run(b.Context(), lease, runner.Surroundings{Log: log}), "")
		log.Close()
	}
}

// BenchmarkOutput_Floor writes it with the shell.
func BenchmarkOutput_Floor(b *testing.B) {
	file := filepath.Join(b.TempDir(), "log")
	b.SetBytes(outputLines * 107)
	for b.Loop() {
		if err := exec.Command("/bin/sh", "-c", outputScript+" > "+file).Run(); err != nil {
			b.Fatal(err)
		}
	}
}
