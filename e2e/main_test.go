package e2e

import (
	"flag"
	"testing"

	"github.com/andon-cd/andon/e2e/planttest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("4") // the scenarios mostly wait
	}
	planttest.Main(m, sweepEngines, removeNamespaces, unmount)
}
