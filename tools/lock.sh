#!/bin/sh
# Rewrites requirements.lock: every version and hash, no address. Run by `make lock`.
set -eu
cd "$(dirname "$0")/.."
own="--no-emit-package llama-cpp-python --no-emit-package polyphony-schemas --no-emit-package polyphony-runner --no-emit-package polyphony-registry --no-emit-package polyphony-cli"
# shellcheck disable=SC2086
exec .venv/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-annotate --no-header \
  $own --group dev --group models --all-extras "$@" \
  schemas/pyproject.toml runner/pyproject.toml registry/pyproject.toml cli/pyproject.toml -o requirements.lock
