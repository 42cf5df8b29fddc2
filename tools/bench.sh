#!/bin/sh
# Measures side by side with peers: all benches, or the named ones (bench/README.md). Peers live in .venv-bench.
set -eu
cd "$(dirname "$0")/.."
[ -x .venv/bin/python ] || tools/setup.sh

stamp=$(sha256sum bench/requirements.lock | cut -c1-64)
if [ "$(cat .venv-bench/.stamp 2>/dev/null || true)" != "$stamp" ]; then
  echo "· making .venv-bench with the peers"
  rm -rf .venv-bench
  .venv/bin/uv venv --quiet --python .venv/bin/python .venv-bench
  .venv/bin/uv pip install --quiet --python .venv-bench/bin/python --require-hashes --only-binary :all: -r bench/requirements.lock
  printf '%s' "$stamp" >.venv-bench/.stamp
fi
# Python's own compiled files are part of what is measured: everybody has them after the first call.
unset PYTHONDONTWRITEBYTECODE
exec .venv/bin/python bench/measure.py "$@"
