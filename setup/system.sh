#!/usr/bin/env bash
# Installs the Debian packages that Swath needs and this machine lacks, and says which. Usage: setup/system.sh [test]
set -euo pipefail

# What each is for: bubblewrap and util-linux (setpriv) hold runs, Lab servers and Dask workers; git stamps builds.
declare -A needs=([bwrap]=bubblewrap [setpriv]=util-linux)
if [ "${1:-}" = test ]; then
  needs[chromium]=chromium # the browser that the tests drive
fi

missing=()
for program in "${!needs[@]}"; do
  command -v "$program" >/dev/null || missing+=("${needs[$program]}")
done
"${PYTHON:-python3.11}" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3.11-venv)
/sbin/ldconfig -p 2>/dev/null | grep -q libgomp.so.1 || missing+=(libgomp1) # LightGBM, which runs the s2cloudless model
if [ "${1:-}" = test ] && ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
  missing+=(postgresql) # a scratch cluster that the tests start themselves
fi
[ ${#missing[@]} -eq 0 ] && exit 0

echo "setup: installing Debian packages: ${missing[*]}"
if ! command -v apt-get >/dev/null; then
  echo "setup: this machine has no apt-get; install the equivalents of: ${missing[*]}" >&2
  exit 1
fi
root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "setup: run as root, or install sudo" >&2; exit 1; }
  root=(sudo)
fi
# A machine that serves no policy-rc.d would start a PostgreSQL cluster of its own on install; the tests need none.
log=$(mktemp)
"${root[@]}" apt-get update >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1 \
  || { cat "$log" >&2; exit 1; }
rm -f "$log"
