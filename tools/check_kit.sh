#!/bin/sh
# Types of the kit: every package is a program of its own, so each is checked by itself.
set -eu
cd "$(dirname "$0")/.."
for folder in kit/*/; do
  set -- "$folder"*.py
  [ -e "$1" ] || continue
  # what a package requires is in its own environment, not in ours; what all of them import is cached once
  MYPYPATH="${folder%/}" .venv/bin/mypy --no-error-summary --disable-error-code import-not-found \
    --disable-error-code import-untyped --cache-dir .mypy_cache/kit "$@" || { echo "hint: in $folder" >&2; exit 1; }
done
