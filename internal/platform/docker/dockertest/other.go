//go:build !linux

package dockertest

import (
	"errors"
	"os"
)

// An Engine is a dockerd or a Podman, which no test starts here.
type Engine struct{}

const nowhere = "container engines are started by tests on Linux alone"

var errNowhere = errors.New(nowhere)

// Missing says why no Engine can be started here.
func Missing() string { return nowhere }

// MissingPodman says why no Podman can be started here.
func MissingPodman() string { return nowhere }

// Guard returns what ends a guard of which there is no need.
func Guard(string) (release func(), err error) { return func() {}, nil }

// Guarding reports that this process is no guard.
func Guarding() bool { return false }

// Sweep has nothing to remove.
func Sweep(string) {}

// Start fails, as all that follows does.
func Start(string, ...string) (*Engine, error) { return nil, errNowhere }

// StartApart fails.
func StartApart(string) (*Engine, error) { return nil, errNowhere }

// StartPodman fails.
func StartPodman(string) (*Engine, error) { return nil, errNowhere }

// Network fails.
func (e *Engine) Network() (*os.File, error) { return nil, errNowhere }

// Socket returns nothing.
func (e *Engine) Socket() string { return "" }

// Start fails.
func (e *Engine) Start() error { return errNowhere }

// Kill does nothing.
func (e *Engine) Kill() {}

// End fails.
func (e *Engine) End() error { return errNowhere }

// Stop fails.
func (e *Engine) Stop() error { return errNowhere }
