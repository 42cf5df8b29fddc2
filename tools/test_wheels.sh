#!/bin/sh
# Brings the wheels of the kit's tool environments to .cache/wheels, so that tests can serve them on loopback.
set -eu
cd "$(dirname "$0")/.."
folder=.cache/wheels
mkdir -p "$folder"
stamp=$({ .venv/bin/python -VV; cat kit/*/requirements.lock tests/data/kit/*.lock; } | sha256sum | cut -c1-64)
[ "$(cat "$folder/.stamp" 2>/dev/null || true)" != "$stamp" ] || exit 0
echo "· downloading the wheels that the tests serve on loopback"
for lock in kit/*/requirements.lock tests/data/kit/*.lock; do
  .venv/bin/python -m pip download --quiet --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
    --requirement "$lock" --dest "$folder"
done
printf '%s' "$stamp" >"$folder/.stamp"
