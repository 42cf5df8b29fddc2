#!/bin/sh
# Everything: checks; the part of schemas and runner in an environment that holds nothing above the runner, on the
# newest Python of this machine; the suite. Ends with pytest's summary line. No test is run twice on one Python.
# usage: tools/test.sh [PYTEST WORDS...]
set -eu
cd "$(dirname "$0")/.."
# the browser, what its driver needs, what the model server needs, the servers of a cluster, and what the examples of
# extensions are written in
tools/system.sh chromium=chromium libatomic.so.1=libatomic1 libgomp.so.1=libgomp1 \
  redis-server=redis-server pg_ctlcluster=postgresql \
  node=nodejs cc=gcc /usr/include/stdio.h=libc6-dev
# Python's own compiled files: without them each of the many processes would compile everything again.
unset PYTHONDONTWRITEBYTECODE
light=$(tools/newest_python.sh)
# the checks compute while the packages are on their way
tools/check.sh & check=$!
{ tools/light_env.sh "$light" && tools/test_wheels.sh; } || { wait "$check" || true; exit 1; }
wait "$check"
echo "· schemas and runner alone, on $("$light" --version)"
.venv-light/bin/python -m pytest -q -n 3 -m "not slow" tests/schemas tests/runner -p no:cacheprovider
if [ "$("$light" --version)" = "$(.venv/bin/python --version)" ] && [ $# = 0 ]; then
  echo "· the rest of the suite"
  set -- tests/cli tests/conformance tests/docs tests/kit tests/registry
else
  echo "· the whole suite, on $(.venv/bin/python --version)"
fi
exec .venv/bin/python -m pytest -n 3 --dist worksteal "$@"
