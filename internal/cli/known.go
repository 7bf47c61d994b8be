package cli

import (
	"errors"
	"fmt"

	"github.com/andon-cd/andon/api"
)

// known returns err, and if it says that a service is not known, with the service that was
// probably meant as its hint.
func (c *call) known(client *api.Client, service string, err error) error {
	e, ok := errors.AsType[*api.Error](err)
	if !ok || e.Kind != api.KindNotFound || service == "" {
		return err
	}
	services, listErr := client.Services(c.ctx, false)
	if listErr != nil {
		return err
	}
	names := make([]string, len(services))
	for i, s := range services {
		if names[i] = s.Name; s.Name == service {
			return err // it is something else of the service that is not known
		}
	}
	better := *e
	switch near := nearest(service, names); {
	case near != "":
		better.Hint = fmt.Sprintf("Did you mean %s?", near)
	case len(names) == 0:
		better.Hint = "There is no service yet: push one, or see `andon service add --help`."
	default:
		better.Hint = "See `andon service list`."
	}
	return &better
}

// nearest returns the name with the fewest changes from word, if there are few enough.
func nearest(word string, names []string) string {
	best, least := "", max(1, len(word)/3)+1
	for _, name := range names {
		if d := distance(word, name); d < least {
			best, least = name, d
		}
	}
	return best
}

// distance counts the letters to add, drop or change, and the neighbours to swap, to come from a
// to b.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			changed := last[j-1]
			if a[i-1] != b[j-1] {
				changed++
			}
			row[j] = min(changed, row[j-1]+1, last[j]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
