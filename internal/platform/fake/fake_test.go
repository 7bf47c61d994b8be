package fake_test

import (
	"strconv"
	"testing"

	"github.com/andon-cd/andon/internal/platform"
	"github.com/andon-cd/andon/internal/platform/fake"
	"github.com/andon-cd/andon/internal/platform/platformtest"
)

func TestFake_KeepsTheContract(t *testing.T) {
	platformtest.Run(t, func(t *testing.T) platformtest.Host {
		host := fake.NewHost()
		return platformtest.Host{
			Open:     func(*testing.T) platform.Platform { return host.Open() },
			Forever:  []string{fake.Forever},
			Stubborn: []string{fake.Stubborn},
			Exits:    func(status int) []string { return []string{fake.Exit, strconv.Itoa(status)} },
			Prints:   func(text string) []string { return []string{fake.Print, text} },
		}
	})
}
