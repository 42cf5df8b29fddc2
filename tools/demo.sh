#!/bin/sh
# The main job on a real project: a registry, the kit published and signed, an install that verifies, a sandboxed run.
set -eu
cd "$(dirname "$0")/.."
exec .venv/bin/python tools/demo/main.py "$@"
