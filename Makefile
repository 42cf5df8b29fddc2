.DEFAULT_GOAL := help
.PHONY: help setup check fix test demo bench run lock chaos fuzz

help: ## Show these lines
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/ ·/'

setup: ## Make .venv and install everything that is locked
	@tools/setup.sh
check: setup ## Lint, format, types, layers, generated files, documents
	@tools/check.sh
fix: setup ## Format and mend what tools can mend
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix .
test: setup ## All checks and tests; installs the servers they need
	@tools/test.sh
demo: setup ## Publish, install, verify and run full-stack-review on a real project
	@tools/demo.sh
bench: setup ## Measure, side by side with peers
	@tools/bench.sh
run: setup ## Start a registry on loopback
	@tools/serve.sh
lock: setup ## Rewrite requirements.lock
	@tools/lock.sh
chaos: setup ## Kill runners, workers, Redis and PostgreSQL 1,000 times; the report goes to bench/results/chaos.json
	@.venv/bin/python tools/chaos.py --kills $${KILLS:-1000} --runs $${RUNS:-200} --seed $${SEED:-7} --report bench/results/chaos.json
fuzz: setup ## Play random graphs with failures and kills, for FOR=600 seconds
	@.venv/bin/python tools/fuzz.py --seconds $${FOR:-600}
