#!/bin/sh
# Prints the newest CPython (3.11 to 3.14) of this machine: in PATH, or among pyenv's versions.
set -eu
for version in 3.14 3.13 3.12 3.11; do
  for candidate in "$(command -v "python$version" 2>/dev/null || true)" "$HOME"/.pyenv/versions/$version.*/bin/python; do
    if [ -x "$candidate" ] && "$candidate" -c 'import ensurepip' 2>/dev/null; then echo "$candidate"; exit 0; fi
  done
done
command -v python3
