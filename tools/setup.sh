#!/bin/sh
# Makes .venv with everything that requirements.lock names, and the four distributions in it, editable.
# Says nothing and does nothing when that is so already.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
venv=${VENV:-.venv}

command -v "$python" >/dev/null 2>&1 || { echo "hint: install Python 3.11 or newer, or say PYTHON=/path/to/python3" >&2; exit 1; }
"$python" - <<'P' || { echo "hint: Python 3.11 or newer is needed; say PYTHON=/path/to/python3" >&2; exit 1; }
import sys
sys.exit(sys.version_info < (3, 11))
P
stamp=$({ "$python" -c 'import sys; print(sys.executable, sys.version)'; cat requirements.lock ./*/pyproject.toml; } | sha256sum | cut -c1-64)
if [ "$(cat "$venv/.stamp" 2>/dev/null || true)" = "$stamp" ]; then exit 0; fi

tools/system.sh git=git bwrap=bubblewrap setpriv=util-linux /etc/ssl/certs/ca-certificates.crt=ca-certificates
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then tools/system.sh /nonexistent/venv=python3-venv; fi

echo "· making $venv with $("$python" --version)"
rm -rf "$venv"
"$python" -m venv "$venv"
# uv itself comes from the lock too, with its hashes
sed -n '/^uv==/,/^[^ ]/p' requirements.lock | sed -n '1p;/--hash/p' >"$venv/uv.lock"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$venv/uv.lock"
echo "· installing what requirements.lock names"
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --no-deps --require-hashes --only-binary :all: -r requirements.lock
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --no-deps -e schemas -e runner -e registry -e cli
printf '%s' "$stamp" >"$venv/.stamp"
