#!/bin/sh
# A registry on loopback with its data in .cache/registry; made at the first start.
set -eu
cd "$(dirname "$0")/.."
data=.cache/registry
if [ ! -d "$data" ]; then
  .venv/bin/polyphony registry init --data "$data" --origin localhost --owner owner --namespace demo --url http://127.0.0.1:8440
fi
exec .venv/bin/polyphony registry serve --data "$data" --port "${PORT:-8440}"
