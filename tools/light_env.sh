#!/bin/sh
# Makes .venv-light: schemas, runner and the test tools, nothing else. usage: tools/light_env.sh PYTHON
set -eu
cd "$(dirname "$0")/.."
python=$1
stamp=$({ "$python" -c 'import sys; print(sys.executable, sys.version)'; cat requirements.lock schemas/pyproject.toml runner/pyproject.toml tools/light_env.sh; } | sha256sum | cut -c1-64)
[ "$(cat .venv-light/.stamp 2>/dev/null || true)" != "$stamp" ] || exit 0
rm -rf .venv-light
"$python" -m venv --without-pip .venv-light
uv=.venv/bin/uv
# the lock is the constraint; hashes are kept by reading it as the requirements of exactly these names
$uv pip install --quiet --python .venv-light/bin/python --only-binary :all: -c requirements.lock \
 pytest pytest-xdist pytest-timeout hypothesis \
  common-expression-language cryptography google-re2 jsonschema pydantic pyyaml referencing ruamel.yaml dulwich platformdirs uv
$uv pip install --quiet --python .venv-light/bin/python --no-deps -e schemas -e runner
printf '%s' "$stamp" >.venv-light/.stamp
