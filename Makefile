# Everything that is done with this project, as a target: `make help`.
SHELL       := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS   += --no-builtin-rules
.DEFAULT_GOAL := help

BIN      := $(CURDIR)/bin
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS  := -X groupcast/server.Version=$(VERSION)
GOBUILD  := go build -trimpath -ldflags '$(LDFLAGS)'

# What may be given on the command line.
ARGS      ?=#        flags of `make run` and `make echo`: make run ARGS='--loops 2'
FUZZTIME  ?= 10s#    for each fuzz target
BENCH     ?= .#      which micro-benchmarks
COUNT     ?= 1#      how often each of them
SCENARIO  ?= many-rooms#  of `make profile`
LOADFLAGS ?=#        flags of every scenario of `make load`
DURATION  ?= 2m#     of `make siege`: rehearsal, calm and siege together
SIEGEFLAGS ?=#       flags of `make siege`: SIEGEFLAGS='--only ws-heads'
CHAOSFLAGS ?=#       flags of `make chaos`: CHAOSFLAGS='--only node-killed'
PEERFLAGS ?=#        flags of every comparison of `make peers`
ONLY      ?=#        of `make results`: a regular expression of scenarios' names
TIMEOUT   ?= 15m#    of one `go test`
PREFIX    ?= /usr/local# of `make install`
DESTDIR   ?=#        of `make install`: put in front of PREFIX, for packagers

# Tools, pinned; each is built once into bin/, from the module proxy.
GOLANGCI_VERSION := v2.15.0
GOLANGCI         := $(BIN)/golangci-lint-$(GOLANGCI_VERSION)
K6_VERSION       := v1.8.1
K6               := $(BIN)/k6-$(K6_VERSION)
BENCHSTAT        := $(BIN)/benchstat
# A certificate authority for tests; server/door/acme/pebble has the version, too.
PEBBLE_VERSION   := v2.10.1
PEBBLE           := $(BIN)/pebble-$(PEBBLE_VERSION)

CYCLONEDX_VERSION := v1.10.0
CYCLONEDX         := $(BIN)/cyclonedx-gomod-$(CYCLONEDX_VERSION)

# What finds mistakes for screen readers: server/page/axe_test.go has the version, too.
AXE_VERSION      := 4.14.1
AXE_SHA256       := 29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c
AXE              := $(BIN)/axe-core-$(AXE_VERSION).js

# A command with the server beside it, on ports that are free: $(call beside,COMMAND),
# which says $$port, and $$api for its API. The server is ended by its own pid, whatever
# becomes of the command.
define beside
	port=$$((20000 + RANDOM % 5000)); api=$$((25000 + RANDOM % 5000)); \
	$(BIN)/groupcast start --log-level warn --listen 127.0.0.1:$$port --api 127.0.0.1:$$api --control none $(2) >/dev/null & pid=$$!; \
	trap 'kill $$pid; wait $$pid || true' EXIT; \
	for i in {1..100}; do \
		if (: </dev/tcp/127.0.0.1/$$port) 2>/dev/null; then break; fi; \
		kill -0 $$pid; sleep 0.1; \
	done; \
	$(1)
endef

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the server: bin/groupcast
	@[ -e $(BIN)/groupcast ] || echo "building bin/groupcast: a minute on two cores the first time, and what it takes to" \
		"download some 20 modules; seconds from then on"
	$(GOBUILD) -o $(BIN)/groupcast ./server/cmd/groupcast

# What is there is installed: as root there need be no Go.
$(BIN)/groupcast:
	@$(MAKE) build

.PHONY: install
install: $(BIN)/groupcast ## Install bin/groupcast to DESTDIR/PREFIX/bin (PREFIX=/usr/local)
	install -d '$(DESTDIR)$(PREFIX)/bin'
	install -m 755 $(BIN)/groupcast '$(DESTDIR)$(PREFIX)/bin/groupcast'

# No serial number and no time: the same binary has the same bill of materials.
.PHONY: sbom
sbom: build $(CYCLONEDX) ## What the binary is made of, as CycloneDX: bin/groupcast.cdx.json
	$(CYCLONEDX) bin -json -std -noserial -notimestamp -version '$(VERSION)' -output $(BIN)/groupcast.cdx.json $(BIN)/groupcast
	SBOM=$(BIN)/groupcast.cdx.json VERSION='$(VERSION)' go test -count=1 $(QUICK) -run '^TestSBOM$$' ./server/cmd/groupcast

.PHONY: run
run: build ## Build and run the server (ARGS='--loops 2')
	exec $(BIN)/groupcast start $(ARGS)

.PHONY: echo
echo: ## Build and run a server that echoes every message, for conformance suites (ARGS='-addr 127.0.0.1:9001')
	$(GOBUILD) -o $(BIN)/echoserver ./loop/internal/echoserver
	exec $(BIN)/echoserver $(ARGS)

.PHONY: check
check: lint ## Lint, and the tests of the packages that have changed since the last commit
	@packages=$$(git status --porcelain -uall | awk '{print $$NF}' | grep '\.go$$' | xargs -r -n1 dirname | sort -u | \
		sed 's|^|./|' | grep -v '^./bench/p' || true); \
	[ -z "$$packages" ] || go test $(QUICK) -timeout $(TIMEOUT) $$packages

.PHONY: test
test: test-start test-deps race single secured conformance plot-test ## What every change must pass, with all that it needs
	@echo "all tests passed; those that take longer: make test-all"

.PHONY: test-all
test-all: test-deps peers-test smoke sbom browsers fuzz cluster-smoke chaos-smoke ## The tests that take longer: peers, k6 and wrk, other browsers, every fuzz target, a cluster and its faults
	@echo "all other tests passed"

.PHONY: test-start
test-start:
	@echo "make test: what it needs first (Debian's packages, pebble, axe-core), then every package with the race detector,"
	@echo "the loops on one processor, the loops over TLS, the pictures: 5 min on two cores the first time, then 3."

# What a test run does without: vet, which is the linter's, and optimizing by the
# profile, which compiles every package a second time for the program alone. (What
# `make build` makes is optimized; k6 and wrk try that.)
QUICK := -vet=off -pgo=off

.PHONY: race
race: ## All tests with the race detector
	@echo "all packages with the race detector: 3 min the first time; what has not changed is not tested again"
	CGO_ENABLED=1 go test -race $(QUICK) -timeout $(TIMEOUT) ./...

.PHONY: single
single: ## The loops' tests on one processor, where a missing wake-up hangs
	@# -count=1: the test cache does not know of GOMAXPROCS.
	@echo "the loops on one processor"
	GOMAXPROCS=1 go test -count=1 $(QUICK) -timeout $(TIMEOUT) ./loop/...

# What these look at is what the other side of a connection counts or the kernel holds, or what
# Serve alone does (it waits before it refuses), or they bring connections of their own.
PLAIN := TestChurn|TestNothingIsReadBehindTheEnd|TestDrainMissesNoLateSession|TestAllLoopsBusy|TestCloseWhileLoopsAreBusy
PLAIN := $(PLAIN)|TestServeSurvivesTransientErrors|TestAdmitWithBytes|TestIdentity|TestTooLargeOnceEncoded|TestOriginalPage|TestEnvelope|TestRefusalLimit|TestGapInPlace|TestGapBeforeDrain

.PHONY: secured
secured: ## The loops' tests once more, over TLS
	@echo "the loops over TLS"
	GROUPCAST_TEST_TLS=1 go test -count=1 $(QUICK) -timeout $(TIMEOUT) -skip '$(PLAIN)' ./loop/

# The race detector's run of them has smaller messages and fewer ways to cut what is sent.
.PHONY: conformance
conformance: ## Autobahn's cases and ours, by their bytes, over TCP and TLS, in their full sizes
	@echo "the conformance cases in their full sizes"
	go test $(QUICK) -timeout $(TIMEOUT) ./server/conformance

.PHONY: peers-test
peers-test: ## Every peer that is there speaks as the comparisons want it
	go -C bench/peers test $(QUICK) ./...

.PHONY: plot-test
plot-test: ## The pictures, also as Chromium lays them out
	@# -count=1: the test cache does not look outside a module, and the figures and the READMEs are there.
	go -C bench/plot test -count=1 $(QUICK) ./...

.PHONY: smoke
smoke: k6-smoke wrk-smoke ## The k6 and wrk scripts in their short form

.PHONY: fuzz
fuzz: ## Every fuzz target for FUZZTIME (10s)
	@grep -ro --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' bench/load loop protocol server | sort \
	| sed 's,^\(.*\)/[^/]*:func ,./\1 ,' \
	| while read -r package target; do \
		echo "fuzz $$package $$target"; \
		go test $(QUICK) -run '^$$' -fuzz "^$$target\$$" -fuzztime '$(strip $(FUZZTIME))' "$$package" </dev/null; \
	done

.PHONY: lint
lint: $(GOLANGCI) cross ## Linters, the import arrows, the formatting, and builds for other systems
	$(GOLANGCI) config verify
	$(GOLANGCI) run ./...
	cd bench/peers && $(GOLANGCI) run ./...
	cd bench/plot && $(GOLANGCI) run ./...

# What stands in where there is no epoll, and where sonic has no fast decoder,
# is built by no test.
.PHONY: cross
cross: ## Build for darwin/arm64 and linux/arm64, and throw the result away
	GOOS=darwin GOARCH=arm64 go build -pgo=off -o /dev/null ./loop/... ./protocol/... ./server/...
	GOOS=linux GOARCH=arm64 go build -pgo=off -o /dev/null ./loop/... ./protocol/... ./server/...

.PHONY: reference
reference: ## Make server/REFERENCE.md anew from the table of settings
	go run -pgo=off ./server/settings/reference >server/REFERENCE.md

.PHONY: fmt
fmt: $(GOLANGCI) ## Format the code
	$(GOLANGCI) fmt ./...

.PHONY: bench
bench: ## Micro-benchmarks (BENCH=regexp COUNT=10; BASE=commit compares with that)
ifdef BASE
bench: $(BENCHSTAT)
	@work=$$(mktemp -d); trap 'git worktree remove --force '$$work'/base' EXIT; \
	git worktree add --quiet --detach $$work/base $(BASE); \
	bench() { go -C $$1 test -run '^$$' -bench '$(strip $(BENCH))' -benchmem -count 1 -timeout 60m ./protocol/... ./loop/...; }; \
	for i in $$(seq $(if $(filter 1,$(strip $(COUNT))),6,$(strip $(COUNT)))); do \
		bench $$work/base >>$$work/base.txt; bench $(CURDIR) >>$$work/new.txt; \
	done; \
	$(BENCHSTAT) base=$$work/base.txt new=$$work/new.txt
else
	go test -run '^$$' -bench '$(strip $(BENCH))' -benchmem -count $(strip $(COUNT)) -timeout 60m ./protocol/... ./loop/...
endif

# The server on one processor, the generator on the other, where there are two.
# The generator puts a free port in.
PINNED := $(if $(filter-out 1,$(shell nproc)),--server-cpus 0 --load-cpus 1)
SERVER := $(BIN)/groupcast start --log-level warn --listen 127.0.0.1:{port} --api none --control none --loops 1

.PHONY: load
load: build $(BIN)/load ## The server under the load generator: every scenario (LOADFLAGS=)
	@for scenario in big-room hot-room 'hot-room --window 1' many-rooms many-groups churn slow storm 'idle --settle 10s'; do \
		$(BIN)/load $$scenario --server '$(SERVER)' $(PINNED) $(LOADFLAGS); echo; \
	done

.PHONY: peers
peers: build $(BIN)/load $(BIN)/limit peers-build ## Compare with the peers and a C loop that only copies bytes (PEERFLAGS='--rounds=9')
	@compare() { \
		echo "== $$*"; \
		$(BIN)/peers/peers --load bin/load $$skip \
			--ahead "c-$$1=bin/limit -p {port} -m $$1" \
			--ahead 'groupcast=bin/groupcast start --log-level warn --listen 127.0.0.1:{port} --api none --control none --loops 1' \
			-- --reference "c-$$1" --rounds 5 $(PEERFLAGS) "$${@:2}"; \
	}; \
	skip=; compare plain big-room; \
	compare coalesce hot-room; \
	skip='--skip nchan=its-connections-are-in-one-group-each'; compare coalesce many-rooms; skip=; \
	compare plain hot-room --window 1

.PHONY: peers-build
peers-build:
	go -C bench/peers build -trimpath -o $(BIN)/peers/peers ./cmd/peers

.PHONY: results
results: build $(BIN)/load $(BIN)/limit $(BIN)/tlslimit $(BIN)/plot peers-build ## Measure all that bench/results has, over an hour (ONLY='regexp of names')
	$(if $(ONLY),ONLY='$(ONLY)' )bench/results/run.sh

.PHONY: table
table: build $(BIN)/load $(BIN)/limit ## The rows that groupcast is held to beside the C program, into bin/table (ONLY='regexp of names')
	$(if $(ONLY),ONLY='$(ONLY)' )bench/results/table.sh

.PHONY: token-load
token-load: build $(BIN)/load $(BIN)/tokenload ## What tokens cost, and what becomes of rotated keys, expiries, a silent key server, into bin/token-load (6 min)
	bench/results/tokens.sh

.PHONY: pictures
pictures: $(BIN)/plot ## Draw pictures and tables anew from bench/results/results.json
	$(BIN)/plot draw bench/results README.md

.PHONY: siege
siege: build $(BIN)/siege ## Attack the server at all of its doors at once, and judge it (DURATION=2m SIEGEFLAGS='--only ws-heads')
	@$(BIN)/siege run --server $(BIN)/groupcast --duration $(strip $(DURATION)) $(SIEGEFLAGS)

.PHONY: cluster
cluster: build $(BIN)/cluster $(BIN)/nats-server peers-cluster ## What several nodes over NATS cost, into bin/cluster-figures (10 min; ROUNDS=2)
	bench/results/cluster.sh

.PHONY: cluster-smoke
cluster-smoke: build $(BIN)/cluster $(BIN)/nats-server ## Three nodes over NATS for ten seconds: all arrives, nothing twice, and who misses something is told
	@$(BIN)/cluster smoke --server $(BIN)/groupcast --nats-server $(BIN)/nats-server

# What the peers have between several processes: redis-server, from Debian, and packages from npm. What is missing is
# named, and left out.
.PHONY: peers-cluster
peers-cluster:
	go -C bench/peers build -trimpath -o $(BIN)/peers/centrifuge-cluster ./cmd/centrifuge-cluster
	@command -v redis-server >/dev/null || echo "NO REDIS: to have it: sudo apt-get install redis-server"
	@[ -e bench/peers/node/node_modules/@socket.io/redis-adapter ] || ! command -v npm >/dev/null \
		|| npm --prefix bench/peers/node ci --silent || true

.PHONY: profile
profile: build $(BIN)/load ## CPU, heap and trace of a scenario into bin/profile, and the top ten (SCENARIO=many-rooms)
	@mkdir -p $(BIN)/profile
	@pprof=$$((30000 + RANDOM % 5000)); \
	$(call beside,get() { curl -sfo $(BIN)/profile/$$1 "http://127.0.0.1:$$pprof/debug/pprof/$$2"; }; \
		(sleep 4; get cpu.pprof 'profile?seconds=6'; get trace.out 'trace?seconds=1'; get heap.pprof heap) & collect=$$!; \
		$(BIN)/load $(SCENARIO) --duration 12s --addr 127.0.0.1:$$port --pid $$pid; wait $$collect; \
		for p in cpu heap; do echo; go tool pprof -top -nodecount 10 $(BIN)/groupcast $(BIN)/profile/$$p.pprof 2>/dev/null; done; \
		echo; echo "go tool trace bin/profile/trace.out shows the rest",--pprof 127.0.0.1:$$pprof)

# What the compiler optimizes the program by: where six scenarios spend their time.
# To be made anew when functions on the way of a message move or get other names.
.PHONY: pgo
pgo: build $(BIN)/load ## Make server/cmd/groupcast/default.pgo anew from six scenarios (two minutes)
	@mkdir -p $(BIN)/profile; rm -f $(BIN)/profile/pgo-*; n=0; \
	for scenario in big-room hot-room 'hot-room --window 1' many-rooms many-groups churn; do \
		n=$$((n + 1)); pprof=$$((30000 + RANDOM % 5000)); \
		($(call beside,(sleep 4; curl -sfo $(BIN)/profile/pgo-$$n "http://127.0.0.1:$$pprof/debug/pprof/profile?seconds=8") & collect=$$!; \
			$(BIN)/load $$scenario --duration 14s --addr 127.0.0.1:$$port --pid $$pid; wait $$collect,--pprof 127.0.0.1:$$pprof --loops 1)); \
	done; \
	go tool pprof -proto $(BIN)/profile/pgo-* 2>/dev/null >server/cmd/groupcast/default.pgo

.PHONY: k6-smoke
k6-smoke: build $(K6) ## Every promise once, and a short load, by k6
	@$(call beside,export K6_NO_USAGE_REPORT=true TARGET=ws://127.0.0.1:$$port API=http://127.0.0.1:$$api; \
		$(K6) run --quiet bench/k6/smoke.js; \
		$(K6) run --quiet -e MEMBERS=20 -e RATE=30 -e DURATION=3 -e RAMP=1 -e P95=1000 bench/k6/publish.js; \
		$(K6) run --quiet -e ROOMS=3 -e MEMBERS=5 -e RATE=20 -e DURATION=3 -e RAMP=1 -e P95=1000 bench/k6/load.js)

.PHONY: wrk-smoke
wrk-smoke: build ## What is not an upgrade, and publishing over HTTP, by wrk (Debian: apt-get install wrk)
	@if ! command -v wrk >/dev/null; then echo "NO WRK: not run; to run it: sudo apt-get install wrk"; exit 0; fi; \
	$(call beside,for script in healthz page refused; do \
		wrk -t1 -c8 -d1s -s bench/wrk/$$script.lua http://127.0.0.1:$$port; \
	done; \
	wrk -t1 -c8 -d1s -s bench/wrk/publish.lua http://127.0.0.1:$$api)

# Attacks that bite at once, and whose traces are gone at once. No time is judged.
QUICK_ATTACKS := api-idle api-log channel-half channel-silent channel-deaf channel-wrong \
	ws-storm ws-wrong ws-commands tls-storm tls-plain tls-bytes proxy-liar

.PHONY: siege-smoke
siege-smoke: build $(BIN)/siege ## A few seconds of the siege, in which nothing may be lost
	@$(BIN)/siege run --server $(BIN)/groupcast --duration 8s --untimed $(addprefix --only ,$(QUICK_ATTACKS))

.PHONY: chaos
chaos: build $(BIN)/chaos $(BIN)/nats-server ## Faults of a cluster of real processes, and what its clients got (5 min; CHAOSFLAGS='--only partition --duration 10m')
	@$(BIN)/chaos run --groupcast $(BIN)/groupcast --nats $(BIN)/nats-server $(CHAOSFLAGS)

.PHONY: chaos-smoke
chaos-smoke: build $(BIN)/chaos $(BIN)/nats-server ## Half a minute of that: a node is killed, and all of NATS
	@$(BIN)/chaos run --groupcast $(BIN)/groupcast --nats $(BIN)/nats-server --outage 4s --only node-killed --only bus-killed-buffer

# What tests need from Debian: command:package, or path:package.
DEBIAN := chromium:chromium certutil:libnss3-tools wrk:wrk php:php-cli nginx:libnginx-mod-nchan \
	/usr/lib/nginx/modules/ngx_stream_module.so:libnginx-mod-stream haproxy:haproxy caddy:caddy \
	/usr/share/nodejs/ws:node-ws /usr/lib/python3/dist-packages/websockets:python3-websockets

# What is missing of a list of Debian's packages is installed, where that may be:
# $(call debian,LIST,what is skipped without it).
define debian
	missing=(); for pair in $(1); do \
		[ -e $${pair%%:*} ] || PATH=$$PATH:/usr/sbin command -v $${pair%%:*} >/dev/null || missing+=("$${pair##*:}"); \
	done; \
	if [ $${#missing[@]} = 0 ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing $${missing[*]} from Debian's packages (a minute or two)"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$${missing[@]}" >/dev/null; \
	else \
		echo "MISSING: $(2); to have it: sudo apt-get install $${missing[*]}"; \
	fi
endef

.PHONY: test-deps
test-deps: $(PEBBLE) axe ## Chromium, certutil, wrk, PHP, proxies, WebSocket for Node and Python, from Debian; pebble, axe-core
	@$(call debian,$(DEBIAN),some tests are skipped)

# Firefox speaks WebDriver BiDi by itself; WebKit has a driver, and wants a screen.
BROWSERS := firefox-esr:firefox-esr WebKitWebDriver:webkit2gtk-driver Xvfb:xvfb

.PHONY: browsers-deps
browsers-deps: ## Firefox and WebKit, from Debian's packages
	@$(call debian,$(BROWSERS),the page is not tried in other browsers)

.PHONY: browsers
browsers: test-deps browsers-deps ## The page's essential tests in Chromium, Firefox and WebKit
	PAGE_ENGINES=1 go test -count=1 $(QUICK) -run TestEngines -timeout $(TIMEOUT) ./server/page

.PHONY: shots
shots: browsers-deps ## Pictures of the page in every state, in three engines, to look at: bin/shots
	PAGE_ENGINES=1 PAGE_SHOTS=$(BIN)/shots go test -count=1 $(QUICK) -run 'TestPage/shots|TestEngines/.*/shots' -timeout $(TIMEOUT) ./server/page
	@echo "look at $(BIN)/shots"

.PHONY: screenshots
screenshots: shots ## README's pictures of the page, anew
	@mkdir -p server/page/screenshots
	for theme in light dark; do install -m 644 $(BIN)/shots/readme-$$theme.png server/page/screenshots/$$theme.png; done

.PHONY: axe
axe: ## axe-core, which looks at the page as screen readers do, from npm
	@if [ -e $(AXE) ]; then :; \
	elif command -v npm >/dev/null && echo "getting axe-core $(AXE_VERSION) from npm" && mkdir -p $(BIN) && work=$$(mktemp -d) \
		&& (cd $$work && npm pack --silent axe-core@$(AXE_VERSION) >/dev/null && tar -xzf axe-core-$(AXE_VERSION).tgz) \
		&& echo "$(AXE_SHA256)  $$work/package/axe.min.js" | sha256sum --check --quiet; \
	then mv $$work/package/axe.min.js $(AXE); rm -r $$work; \
	else echo "NO AXE: the page is not looked at by axe-core; it comes by npm"; fi

.PHONY: clean
clean: ## Remove what was built
	rm -rf $(BIN)

$(BIN)/load: FORCE
	$(GOBUILD) -o $@ ./bench/load

$(BIN)/tlslimit: FORCE
	$(GOBUILD) -o $@ ./bench/tlslimit

$(BIN)/cluster: FORCE
	$(GOBUILD) -o $@ ./bench/cluster

# The version is go.mod's, as the tests have it.
$(BIN)/nats-server: FORCE
	go build -trimpath -o $@ github.com/nats-io/nats-server/v2

$(BIN)/siege: FORCE
	$(GOBUILD) -o $@ ./bench/siege

$(BIN)/chaos: FORCE
	$(GOBUILD) -o $@ ./bench/chaos

$(BIN)/tokenload: FORCE
	$(GOBUILD) -o $@ ./bench/tokenload

$(BIN)/plot: FORCE
	go -C bench/plot build -trimpath -o $@ .

$(BIN)/limit: bench/peers/limit/limit.c
	@mkdir -p $(BIN)
	$(CC) -O2 -Wall -Wextra -o $@ $< -pthread

# The version is part of the file's name: another version is another file.
$(GOLANGCI):
	@echo "building golangci-lint $(GOLANGCI_VERSION) (two or three minutes)"
	GOBIN=$(BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv $(BIN)/golangci-lint $@

$(K6):
	@echo "building k6 $(K6_VERSION) (two or three minutes)"
	GOBIN=$(BIN) go install go.k6.io/k6@$(K6_VERSION)
	mv $(BIN)/k6 $@

$(PEBBLE):
	@echo "building pebble $(PEBBLE_VERSION), a certificate authority for tests (half a minute)"
	GOBIN=$(BIN) go install github.com/letsencrypt/pebble/v2/cmd/pebble@$(PEBBLE_VERSION)
	mv $(BIN)/pebble $@

$(CYCLONEDX):
	@echo "building cyclonedx-gomod $(CYCLONEDX_VERSION) (half a minute)"
	GOBIN=$(BIN) go install github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@$(CYCLONEDX_VERSION)
	mv $(BIN)/cyclonedx-gomod $@

$(BENCHSTAT):
	GOBIN=$(BIN) go install golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

.PHONY: FORCE
FORCE:
