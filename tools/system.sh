#!/bin/sh
# Makes sure that Debian packages are there: installs them when it may (root or sudo), else says the one command.
# usage: tools/system.sh COMMAND=PACKAGE...      a COMMAND that starts with / is a path, with lib a shared library
set -eu
missing=""
for pair in "$@"; do
  command=${pair%%=*}; package=${pair#*=}
  case "$command" in
    /*) [ -e "$command" ] || missing="$missing $package" ;;
    lib*) PATH="$PATH:/sbin:/usr/sbin" ldconfig -p | grep -q "$command" || missing="$missing $package" ;;
    *) command -v "$command" >/dev/null 2>&1 || missing="$missing $package" ;;
  esac
done
[ -n "$missing" ] || exit 0
as_root=""
if [ "$(id -u)" != 0 ]; then
  if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then as_root="sudo -n"; else
    echo "These system packages are missing:$missing" >&2
    echo "hint: run  sudo apt-get update && sudo apt-get install -y$missing  and call again" >&2
    exit 1
  fi
fi
if ! command -v apt-get >/dev/null 2>&1; then
  echo "These programs are missing (names of the Debian packages):$missing" >&2
  echo "hint: install them with the package manager of this system and call again" >&2
  exit 1
fi
echo "· installing system packages:$missing"
$as_root apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
