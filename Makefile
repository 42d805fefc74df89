# `make demo` and `make test` need Python 3.11, make and the package registries; they set up the rest in .venv. The tests
# need a RabbitMQ server, a PostgreSQL 15 and Chromium as well, and install Debian's where they are missing.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup packages demo test test-plans test-faults coverage fuzz lint format types pictures diagrams docs links wheel wheel-test debian containers stranger bench-objects bench-rpc bench-growth bench-data bench-fleet bench-import bench-house bench-audio ci changelog lock clean

PYTHON ?=
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

READY := .venv/.ready
PEER := build/bench/peer
SECONDS ?= 60
PLANS ?= 200
COMPUTE := apps/compute/juno apps/compute/kilo apps/compute/liberty
HOUSE := apps/house
APP ?= compute
PYPROJECT := $(CURDIR)/pyproject.toml

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv from the locked requirements (PYTHON=… names the interpreter)
	@:

$(READY): requirements/dev.txt pyproject.toml .ci/setup
	@PYTHON="$(PYTHON)" .ci/setup
	@touch $@

packages: ## install the Debian packages that the tests need, where they are missing (rabbitmq-server, postgresql-15, …)
	@.ci/packages

demo: $(READY) ## upgrade a miniature cloud twice under load (DB=postgresql; BREAK=wrongpin|kill|lose|stale makes it fail); APP=house: a house that sleeps and plays, as root
	@[ "$(APP)" != house ] || .ci/packages iproute2 curl pulseaudio
	@[ "$(DB)" != postgresql ] || .ci/packages postgresql-15
	cd apps/$(APP) && python -m demo

test: packages $(READY) ## pass all tests: the framework's, then those of each app on its own; as root, for the house's networks
	python -m pytest -n 3 --dist loadfile
	@set -e; for tree in $(COMPUTE); do (set -x; cd $$tree && python -m pytest -n 2 --dist loadfile); done
	cd $(HOUSE) && python -m pytest -n 2 --dist loadfile

test-plans: $(READY) ## let PLANS=200 random things happen to clouds that are upgraded; a failing one says how to repeat it (SEED=…)
	@seed=$${SEED:-$$RANDOM}; set -x; cd apps/compute/kilo && \
		python -m pytest tests/test_plans.py -n 2 --midflight-plans=$(PLANS) --midflight-seed=$$seed

test-faults: packages $(READY) ## kill, freeze and cut off what a loaded fleet stands on, and count; as root; into build/faults
	python -m pytest tests/faults -n 3 --dist loadfile

coverage: packages $(READY) ## pass the framework's tests and report branch coverage
	python -m pytest --cov --cov-report=term-missing:skip-covered

fuzz: $(READY) ## feed bad input to the decoders, guided by coverage, for SECONDS=60
	python -m tests.fuzz $(SECONDS)

lint: $(READY) ## check style, formatting, the import contracts and the container file
	ruff check .
	ruff format --check .
	lint-imports --no-logo
	hadolint contrib/container/Containerfile

format: $(READY) ## mend what ruff can mend
	ruff check --fix-only .
	ruff format .

types: $(READY) ## check types with mypy --strict and pyright
	mypy
	@set -e; for tree in $(COMPUTE); do (set -x; cd $$tree && mypy --config-file $(PYPROJECT) -p compute); done
	cd apps/compute && mypy --config-file $(PYPROJECT) -p demo
	cd $(HOUSE) && mypy --config-file $(PYPROJECT) -p house -p demo
	cd src/midflight/cli/template && mypy --config-file $(PYPROJECT) -p example_fleet
	pyright

pictures: packages $(READY) ## draw the pictures of the console and of the house anew, into docs/pictures and apps/house
	python -m tests.console
	cd $(HOUSE) && python -m tests.web

diagrams: $(READY) ## draw the diagrams of the documents anew, into docs/pictures
	python docs/site/diagrams.py

docs: $(READY) ## build the site of the documents, with pages from the code, into build/site; its own links are checked
	mkdocs build --strict --quiet

links: $(READY) ## ask for every page elsewhere that the documents lead to; it needs the internet
	python docs/site/links.py

wheel: $(READY) ## build what is published, into build/wheel: sdist, wheel, and bill of materials
	.ci/wheel

wheel-test: $(READY) ## build it, and try the wheel and each extra of it in fresh environments
	.ci/wheel-test

debian: $(READY) ## build Debian packages of both apps into build/debian, lint them, and try them on a bare Debian; as root
	@.ci/packages debian
	.ci/wheel
	python -m pytest tests/shipped/test_debian.py

containers: $(READY) ## build images of both apps by podman, and try them; as root
	@.ci/packages debian podman
	.ci/wheel
	python -m pytest tests/shipped/test_containers.py

stranger: $(READY) ## play the tutorial as a user who has nothing but the wheel and a package registry; as root
	.ci/stranger

bench-objects: $(READY) $(PEER)/.ready ## measure objects beside oslo.versionedobjects and bare Structs, into build/bench
	python -m benchmarks.objects --incumbent $(PEER)/bin/python

bench-rpc: packages $(READY) $(PEER)/.ready ## measure calls beside oslo.messaging and bare nats-py, into build/bench
	python -m benchmarks.rpc --incumbent $(PEER)/bin/python

bench-growth: $(READY) ## measure what one agent costs among 100, 1,000 and 5,000 of them, into build/bench
	python -m benchmarks.growth

bench-data: $(READY) ## measure data migrations beside a loop over what is left to do, into build/bench
	python -m benchmarks.data

bench-fleet: packages $(READY) ## measure beats, pins and gates of 100, 1,000 and 5,000 simulated members, into build/bench
	python -m benchmarks.fleet

bench-import: $(READY) $(PEER)/.ready ## measure what an import costs beside oslo.versionedobjects with oslo.messaging, into build/bench
	python -m benchmarks.imports --incumbent $(PEER)/bin/python

bench-house: packages $(READY) ## measure how soon the house's watcher wakes, for whom not, and what it costs; as root, into build/bench
	@.ci/packages openssh-server
	cd $(HOUSE) && python -m bench

bench-audio: packages $(READY) ## measure how far the house's rooms play apart, and what interrupts them; as root, into build/bench
	cd $(HOUSE) && python -m bench.audio $(if $(SMALL),--small)

$(PEER)/.ready: requirements/peer.txt
	python -m venv --clear $(PEER)
	$(PEER)/bin/python -m pip install --quiet --require-hashes --no-deps -r $<
	@touch $@

ci: ## do what CI does
	.ci/run

changelog: $(READY) ## move the fragments of changelog.d into CHANGELOG.md (VERSION=… names the release)
	towncrier build --yes --version $(VERSION)

lock: $(READY) ## write the locked, hashed requirements anew from pyproject.toml and requirements/*.in
	.ci/lock

clean: ## remove everything that was set up or built
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
