# The targets that people use. `make demo` and `make build` need Go and git only;
# `make test` also installs what the tests need (Debian packages, as root).

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
LDFLAGS  = -s -w -X github.com/andon-cd/andon/internal/cli.version=$(VERSION)

.PHONY: demo build test check lint bench screenshots soak clean

build: ## the program: one static binary, ./andon
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o andon .

demo: build ## a whole plant takes a service to production and back
	./andon demo

PURE = ./internal/line ./internal/deploy

# The scenarios build and run the program, which the cache of go test does not know: -count=1.
test: ## all tests, with the race detector; those of the pure core, which has no goroutines, without it
	@scripts/setup
	ANDON_SOAK=10000 ANDON_STEPS=1000000 $(GO) test -timeout 15m $(PURE)
	$(GO) test -race -count=1 -timeout 20m $$($(GO) list ./... | grep -vxF "$$($(GO) list $(PURE))")

check: ## format, vet, lint, and the build for macOS
	@scripts/check

bench: build ## the figures of docs/performance.md, each beside its floor
	$(GO) run ./bench -andon ./andon

screenshots: build ## every page, of the demo's data, at three sizes, light and dark, in out/screenshots
	@scripts/setup
	$(GO) run ./e2e/browser/screenshots -andon ./andon

soak: build ## the long runs: 100,000 histories, 100,000,000 steps of deployments, 100 kills, 200 deployments and 200 rollbacks under load
	ANDON_SOAK=100000 $(GO) test -timeout 120m -run TestSimulation ./internal/line
	ANDON_STEPS=100000000 $(GO) test -timeout 120m -run TestSimulation ./internal/deploy
	ANDON_KILLS=100 $(GO) test -timeout 120m -run TestCrash -v ./e2e
	ANDON_ROLLOUTS=200 $(GO) test -timeout 120m -run TestStrategies -v ./e2e

clean:
	rm -rf andon bin out
