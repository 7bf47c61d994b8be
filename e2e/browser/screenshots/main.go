// Command screenshots takes a picture of every page, of a plant that the demo has filled: at the
// sizes of a desk, of a large screen on a wall and of a phone, in light and in dark.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/e2e/browser"
)

// telling bounds how long the demo may take, and ending how long its cleaning up may.
const (
	telling = 10 * time.Minute
	ending  = 2 * time.Minute
)

// A size is that of a screen, with the name that it has in names of files.
type size struct {
	name string
	browser.Look
	whole bool // also what is below its edge
}

var sizes = []size{
	{"desk", browser.Look{Width: 1920, Height: 1080}, false},
	{"wall", browser.Look{Width: 3840, Height: 2160}, false},
	{"phone", browser.Look{Width: 390, Height: 844, Scale: 2}, true},
}

func main() {
	andon := flag.String("andon", "./andon", "the program")
	out := flag.String("out", "out/screenshots", "the directory of the pictures")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *andon, *out)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "screenshots:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, andon, out string) (err error) {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "andon-shots-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	chromium, err := browser.Start(filepath.Join(dir, "chromium"))
	if err != nil {
		return err
	}
	defer chromium.Close()
	client, end, err := startDemo(ctx, andon, filepath.Join(dir, "demo"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	return takeAll(ctx, chromium, client, out)
}

// told is the demo's line with the address of the board and the token.
var told = regexp.MustCompile(`the board\s+(\S+)\s+\(token (\S+)\)`)

// startDemo starts a demo and returns when it has told its story. end stops it and waits until it
// has cleaned up.
func startDemo(ctx context.Context, andon, dir string) (client *api.Client, end func() error, err error) {
	ctx, cancel := context.WithTimeout(ctx, telling)
	demo := exec.CommandContext(ctx, andon, "demo", "--dir", dir)
	demo.Cancel = func() error { return demo.Process.Signal(os.Interrupt) }
	demo.WaitDelay = ending
	demo.Stderr = os.Stderr
	said, err := demo.StdoutPipe()
	if err == nil {
		err = demo.Start()
	}
	if err != nil {
		cancel()
		return nil, nil, err
	}
	end = func() error {
		cancel()
		_, _ = io.Copy(io.Discard, said)
		_ = demo.Wait() // it was interrupted, and says so
		return nil
	}
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		fmt.Println(lines.Text())
		if found := told.FindStringSubmatch(lines.Text()); found != nil {
			return &api.Client{Server: found[1], Token: found[2]}, end, nil
		}
	}
	return nil, nil, errors.Join(errors.New("the demo ended without telling where its board is"), lines.Err(), end())
}

// takeAll takes every page as the demo leaves it, where the line stands, and the board once more
// with a line that runs.
func takeAll(ctx context.Context, chromium *browser.Chromium, client *api.Client, out string) error {
	pages, err := browser.Pages(ctx, client)
	if err != nil {
		return err
	}
	if err := takeEach(chromium, client, pages, out); err != nil {
		return err
	}
	cords, err := client.Cords(ctx, true, api.Page{})
	if err != nil {
		return err
	}
	for _, cord := range cords {
		if _, err := client.ReleaseCord(ctx, api.ReleaseCord{Cord: cord.ID, Reason: "everything was seen"}); err != nil {
			return err
		}
	}
	return takeEach(chromium, client, []browser.Page{{Name: "board-running", Path: "/board"}}, out)
}

func takeEach(chromium *browser.Chromium, client *api.Client, pages []browser.Page, out string) error {
	known, err := chromium.Open(client.Server)
	if err != nil {
		return err
	}
	defer known.Close()
	if err := errors.Join(known.Go("/board"), known.SignIn(client.Token)); err != nil {
		return err
	}
	stranger, err := chromium.Open(client.Server)
	if err != nil {
		return err
	}
	defer stranger.Close()
	for _, page := range pages {
		if page.Path == "" {
			fmt.Println("the demo has nothing to show on", page.Name)
			continue
		}
		tab := known
		if page.Anyone {
			tab = stranger
		}
		if err := take(tab, page, out); err != nil {
			return fmt.Errorf("%s: %w", page.Path, err)
		}
	}
	return nil
}

// take takes one page in all sizes and both themes.
func take(tab *browser.Tab, page browser.Page, out string) error {
	for _, s := range sizes {
		for _, s.Dark = range []bool{false, true} {
			theme := "light"
			if s.Dark {
				theme = "dark"
			}
			if err := errors.Join(tab.Look(s.Look), tab.Go(page.Path)); err != nil {
				return err
			}
			picture, err := tab.Picture(s.whole || !strings.HasPrefix(page.Name, "board"))
			if err != nil {
				return err
			}
			path := filepath.Join(out, page.Name+"-"+s.name+"-"+theme+".png")
			if err := os.WriteFile(path, picture, 0o644); err != nil {
				return err
			}
			fmt.Println(path)
		}
	}
	return nil
}
