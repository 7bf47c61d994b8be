// Command bench prints the figures of docs/performance.md: the real binary, each figure beside its
// floor on the same machine in the same run. Ratios count; absolute times depend on the machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"text/tabwriter"
	"time"
)

// runTimeout bounds the whole run.
const runTimeout = 30 * time.Minute

// A row is one line of the table.
type row struct{ what, got, floor, goal string }

// A measure fills rows. It gets a plant of its own where it needs one.
type measure struct {
	name string
	run  func(ctx context.Context, b *bench) ([]row, error)
}

// A bench is what all measures share.
type bench struct {
	andon string // path of the binary
	dir   string // for everything that is made

	plants []*plant // that were started
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == asCopy {
		fmt.Fprintln(os.Stderr, "bench:", serveCopy())
		os.Exit(1)
	}
	andon := flag.String("andon", "./andon", "the binary to measure")
	only := flag.String("only", "", "run only the measure of that name")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	if err := run(ctx, *andon, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, andon, only string) (err error) {
	andon, err = filepath.Abs(andon)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "andon-bench-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b := &bench{andon: andon, dir: dir}
	defer func() { err = errors.Join(err, b.stopAll(ctx)) }()
	measures := []measure{
		{"start", startAndMemory}, {"push", pushToFirstCommand}, {"steps", fiftySteps},
		{"pipelines", oneStepPipelines}, {"log", millionLines}, {"longlog", longLogPage}, {"journal", journalAppends},
		{"pages", largePages}, {"switch", switches}, {"deploy", deployments},
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "measure\tmeasured\tfloor\tgoal")
	for _, m := range measures {
		if only != "" && only != m.name {
			continue
		}
		rows, err := m.run(ctx, b)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		for _, r := range rows {
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\n", r.what, r.got, r.floor, r.goal)
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	if only == "" || only == "proxy" {
		return proxies(ctx)
	}
	return nil
}

// proxies runs the comparison of proxies, which prints a table of its own.
func proxies(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "run", "./bench/proxy")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	fmt.Println()
	return cmd.Run()
}
