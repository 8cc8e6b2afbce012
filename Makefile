# `make help` explains. Every target does its own set-up first; a set-up that is complete costs a fraction of a second.
.DEFAULT_GOAL := help
.PHONY: help run test check test-serving-next bench images manifests schemas dashboards site setup locks clean
SETUP := tools/python tools/setup.py
ENVIRONMENTS ?=
UPGRADE ?=
ONLY ?=
PUSH ?=

help: ## this text
	@echo "make TARGET, where TARGET is one of:"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1\t\2/p' Makefile | expand -t 20
	@echo
	@echo "A newcomer types \`make run\`. After it, \`.venv/pipelines/bin/pedalflow --help\` shows the commands behind the"
	@echo "loop, and \`.venv/pipelines/bin/pedalflow doctor\` says what is wrong with this machine."

run: ## set everything up and play the whole loop on the real data, in the workspace run/
	@$(SETUP) dev pipelines serving triggers
	@.venv/dev/bin/pedalflow --workspace run loop

test: ## set everything up and test it: what `make check` does, then the slower tests
	@$(SETUP) dev pipelines serving triggers delivery dev312
	@.venv/dev/bin/python tools/check.py --slow

test-serving-next: ## the serving tests on the newer line of Seldon and alibi-detect, Python 3.12 (needs that Python)
	@$(SETUP) dev serving-next
	@.venv/dev/bin/python tools/check.py --next-line

check: ## lint, types, import rules and unit tests, in under two minutes
	@$(SETUP) dev pipelines serving triggers delivery dev312
	@.venv/dev/bin/python tools/check.py

bench: ## measure everything against the peers, and print the tables of docs/benchmarks.md
	@$(SETUP) dev pipelines serving triggers peers peers-mlserver
	@.venv/dev/bin/pedalflow --workspace run loop --no-serve # whose releases are served and judged
	@.venv/pipelines/bin/python -W ignore -m bench all

images: ## build the container images (ONLY="serving triggers"; PUSH=registry.example.org/team pushes them)
	@tools/python tools/images.py build $(ONLY) $(if $(PUSH),--push "$(PUSH)")

manifests: ## render and check the manifests of k8s/ into build/manifests/
	@$(SETUP) delivery
	@.venv/delivery/bin/python -m tools.manifests

schemas: ## fetch the vendors' CRDs and derive the schemas that `make manifests` validates with
	@$(SETUP) delivery
	@.venv/delivery/bin/python -m tools.schemas

dashboards: ## write Grafana's dashboards anew from their tables
	@$(SETUP) delivery
	@.venv/delivery/bin/python -m tools.monitoring.dashboards

site: ## build the docs as a site into build/site
	@$(SETUP) delivery
	@NO_MKDOCS_2_WARNING=1 .venv/delivery/bin/python -m mkdocs build --strict --quiet -f tools/site/mkdocs.yml
	@echo "open build/site/index.html"

setup: ## build the environments (all of them, or ENVIRONMENTS="pipelines serving")
	@$(SETUP) $(ENVIRONMENTS)

locks: ## compile requirements/*.txt again after a change in pyproject.toml (UPGRADE=1 takes the newest versions)
	@tools/python tools/setup.py --renew-locks $(if $(UPGRADE),--upgrade)

clean: ## remove environments, caches and the workspace run/; data, state/ and releases stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis run
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
