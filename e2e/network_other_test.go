//go:build !linux

package e2e

import (
	"errors"
	"os"
)

// enterNetwork fails: only Linux has network namespaces.
func enterNetwork(*os.File) error { return errors.ErrUnsupported }
