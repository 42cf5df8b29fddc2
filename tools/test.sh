#!/bin/sh
# Everything: checks, then the whole suite, then the runner's part of it in an environment that holds nothing above
# the runner, on the newest Python of this machine. Ends with pytest's summary line.
set -eu
cd "$(dirname "$0")/.."
# the browser, what its driver needs, and what the model server needs
tools/system.sh chromium=chromium libatomic.so.1=libatomic1 libgomp.so.1=libgomp1
tools/check.sh
light=$(tools/newest_python.sh)
echo "· schemas and runner alone, on $("$light" --version)"
tools/light_env.sh "$light"
.venv-light/bin/python -m pytest -q -n 2 -m "not slow" tests/schemas tests/runner -p no:cacheprovider
tools/test_wheels.sh
echo "· the whole suite, on $(.venv/bin/python --version)"
exec .venv/bin/python -m pytest -n 2 --dist worksteal "$@"
