#!/bin/sh
# Everything that needs no running: format, lint, types, layers, generated files.
set -eu
cd "$(dirname "$0")/.."
bin=.venv/bin
echo "· format"; $bin/ruff format --check --quiet . || { echo "hint: make fix" >&2; exit 1; }
echo "· lint"; $bin/ruff check --quiet .
echo "· types, and those of the kit"
tools/check_kit.sh & kit=$!
$bin/mypy --no-error-summary || { wait "$kit"; exit 1; }
wait "$kit"
echo "· layers"; $bin/lint-imports >.lint-imports.log 2>&1 || { cat .lint-imports.log; exit 1; }; rm -f .lint-imports.log
echo "· generated files"; for generator in tools/generate_*.py; do $bin/python "$generator" --check; done
