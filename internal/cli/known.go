package cli

import (
	"errors"
	"fmt"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/form"
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
	switch near := form.Nearest(service, names); {
	case near != "":
		better.Hint = fmt.Sprintf("Did you mean %s?", near)
	case len(names) == 0:
		better.Hint = "There is no service yet: push one, or see `andon service add --help`."
	default:
		better.Hint = "See `andon service list`."
	}
	return &better
}
