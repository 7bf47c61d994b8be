package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/notify/webhook"
	"github.com/andon-cd/andon/internal/server"
)

// Where a plant listens that is told nothing else.
const (
	defaultListen = "127.0.0.1:8600"
	defaultProxy  = "127.0.0.1:8601"
)

type serverCmd struct {
	Listen   string        `default:"127.0.0.1:8600" placeholder:"ADDR" help:"Where the pages, the API, git and the registry answer; port 0 picks one. (default ${default})"`
	Proxy    string        `default:"127.0.0.1:8601" placeholder:"ADDR" help:"Where the services answer, behind the built-in proxy. (default ${default})"`
	Host     []string      `placeholder:"NAME" help:"Also answer to this host name, when something in front passes it on. May be repeated."`
	Slots    *int          `placeholder:"N" help:"How many jobs run here at once; 0: only those that must run beside copies. (default: one for each processor, at least 2)"`
	Poll     time.Duration `placeholder:"30s" help:"How often repositories elsewhere are asked for news."`
	Webhook  string        `placeholder:"URL" help:"Tell this address when the line stops and when it runs again, signed with DIR/webhook.secret."`
	LogLevel slog.Level    `default:"warn" placeholder:"LEVEL" help:"What to log on standard error: debug, info, warn or error. (default ${default})"`
	proxyFlags
	containerFlags
}

// Run runs a plant until it is told to end. Its copies and its proxy go on.
func (cmd *serverCmd) Run(c *call) error {
	dir, err := c.dataDir()
	if err != nil {
		return err
	}
	drivers, err := cmd.drivers(c)
	if err != nil {
		return err
	}
	if drivers.Containers, err = cmd.containers(c); err != nil {
		return err
	}
	slots, err := jobSlots(cmd.Slots, processorSlots())
	if err != nil {
		return err
	}
	config := server.Config{
		Data: dir, Listen: cmd.Listen, Proxy: cmd.Proxy, Names: cmd.Host, Slots: slots,
		Build: thisBuild().Version, WatchInterval: cmd.Poll, Drivers: drivers, Log: c.log(cmd.LogLevel),
		Ready: func(a server.Addresses) { cmd.announce(c, dir, a) },
	}
	if cmd.Webhook != "" {
		if config.Drivers.Notifier, err = openWebhook(server.Directory(dir), cmd.Webhook); err != nil {
			return err
		}
	}
	if err := server.Run(c.ctx, config); err != nil {
		return err
	}
	fmt.Fprintf(c.err, "The server has stopped; what it deployed keeps running. `%s down --data %s` stops that too.\n", ownProgram(), quoted(dir))
	return nil
}

// announce says that the plant is ready: one line for programs, the rest for people.
func (cmd *serverCmd) announce(c *call, dir string, a server.Addresses) {
	fmt.Fprintf(c.out, "ready %s proxy %s\n", a.URL, a.Proxy)
	found := dir
	if err := c.rememberPlant(dir); err == nil {
		found = "" // other commands of this user find it by themselves
	}
	token := filepath.Join(dir, "admin.token")
	fmt.Fprintf(c.err, "The board is %s; sign in with the token in %s.\n", a.URL, token)
	fmt.Fprintf(c.err, "So that git signs in by itself:  %s\n", credentialLine(a.URL, found))
	fmt.Fprintf(c.err, "Then, in a repository:           %s init && git push %s/git/NAME.git main\n", ownProgram(), a.URL)
}

// log returns a logger that writes what people may want to know of a process that stays.
func (c *call) log(level slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if c.json {
		return slog.New(slog.NewJSONHandler(c.err, options))
	}
	return slog.New(slog.NewTextHandler(c.err, options))
}

// openWebhook returns the receiver of outgoing messages. Its secret is made on first use.
func openWebhook(dir server.Directory, address string) (*webhook.Webhook, error) {
	if err := dir.Prepare(); err != nil {
		return nil, err
	}
	secret, err := os.ReadFile(dir.WebhookSecret())
	if errors.Is(err, fs.ErrNotExist) {
		var key [32]byte
		_, _ = io.ReadFull(rand.Reader, key[:]) // never fails (crypto/rand)
		secret = []byte(webhook.Secret(key[:]) + "\n")
		err = os.WriteFile(dir.WebhookSecret(), secret, 0o600)
	}
	if err != nil {
		return nil, andon.Errorf(andon.KindUnavailable, "%s cannot be used", dir.WebhookSecret()).Because(err)
	}
	return webhook.New(address, strings.TrimSpace(string(secret)), time.Now)
}
