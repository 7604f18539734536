# Every target does its own set-up: see .ci/setup.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test lint docs links wheel soak bench compat lock clean \
  setup-python setup-demo setup-test

# The environment's commands come first; the lab's are often in sbin.
export PATH := $(CURDIR)/.venv/bin:$(PATH):/usr/sbin:/sbin
# Options for pytest, for example: make test PYTEST_ARGS="-k lease -x"
PYTEST_ARGS ?=
export PYTHON

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-7s %s\n", $$1, $$2}' Makefile

demo: setup-demo ## Watch a real cluster go stale, be diagnosed and healed
	@.venv/bin/python -m runbooks.demo

# pytest runs last, so that its summaries close the output.
test: setup-test ## Lint, build the docs, and run every test but the slow ones
	@.ci/timed lint .ci/lint
	@.ci/timed docs $(MAKE) --no-print-directory docs
	@.ci/timed tests .ci/test $(PYTEST_ARGS)

lint: setup-python ## Run the linters of code, playbooks, scripts, and prose
	@.ci/lint

docs: setup-python ## Build the site below docs/_build: HTML, one page, EPUB
	@.ci/docs
	@echo "docs: open docs/_build/html/index.html"

links: docs ## Check the links that lead out of the site, where a network allows it
	@.ci/links

wheel: docs ## Build the package with the site in it, into dist
	@.venv/bin/hatchling build --target wheel

soak: setup-test ## Run long repetitions; tables go under docs/reference/
	@.venv/bin/pytest -m soak $(PYTEST_ARGS)

bench: setup-test ## Measure, and try every Ansible; tables go under docs/reference/
	@.venv/bin/pytest -m "bench or compat" $(PYTEST_ARGS)

compat: setup-test ## Run the playbooks on every version of Ansible they allow
	@.venv/bin/pytest tests/playbooks/test_ansible_versions.py $(PYTEST_ARGS)

lock: setup-python ## Resolve the dependencies anew; LOCK_ARGS=--upgrade for newest
	@.ci/lock $(LOCK_ARGS)

clean: ## Delete everything that the other targets made here
	rm -rf .venv dist docs/_build .mypy_cache .ruff_cache .pytest_cache \
	  .hypothesis .ansible .cache playbooks/.ansible
	-git clean -qfX docs/images
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup-python setup-demo setup-test: setup-%:
	@.ci/setup $*
