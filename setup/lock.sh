#!/usr/bin/env bash
# Resolves every lock anew: hashed, for all platforms, naming no host. Usage: setup/lock.sh [--upgrade]
set -euo pipefail
cd "$(dirname "$0")/.."
compile=(.tools/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes
  --no-annotate --no-header --no-emit-index-url --no-emit-find-links "$@")
for extra in hub server dev; do
  "${compile[@]}" pyproject.toml --extra "$extra" -o "requirements/$extra.lock"
done
for environment in kernels/environments/*/pyproject.toml; do
  "${compile[@]}" pyproject.toml --extra kernel -o "$(dirname "$environment")/requirements.lock"
done
# What `make bench ARGS=echo` compares with; no part of Swath.
echo 'pygeoapi' | "${compile[@]}" - -o requirements/bench.lock
echo 'uv' | "${compile[@]}" - -o requirements/uv.lock
for folder in hub/proxy marketplace/web; do
  (cd "$folder" && npm install --package-lock-only --ignore-scripts --no-audit --no-fund)
done
