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

// distance counts the letters to add, drop or change to come from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := diagonal
			if a[i] != b[j] {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
