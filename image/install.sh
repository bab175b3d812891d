#!/bin/sh
# What the image holds, made in one place so that it can be tried without a container engine (make test-image):
#
#     sh image/install.sh SOURCE TARGET [PYTHON]
#
# builds the wheels of SOURCE and installs them into a new environment at TARGET, every dependency by the hash that uv.lock
# names. Nothing of SOURCE, of uv or of pip is left in it.
set -eu
source=$1 target=$2 python=${3:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

uv=${UV:-}
if [ -z "$uv" ]; then
  "$python" -m pip install --quiet --disable-pip-version-check --target "$work/uv" 'uv>=0.9,<1'
  uv=$work/uv/bin/uv
fi

cd "$source"
"$uv" export --frozen --quiet --no-dev --no-emit-workspace --format requirements-txt --output-file "$work/requirements.txt"
"$uv" build --quiet --wheel --package outlay --out-dir "$work/wheels"
"$uv" build --quiet --wheel --package outlay-server --out-dir "$work/wheels"

"$uv" venv --quiet --python "$python" "$target"
"$uv" pip install --quiet --python "$target/bin/python" --require-hashes --no-deps --compile-bytecode \
  --requirement "$work/requirements.txt"
"$uv" pip install --quiet --python "$target/bin/python" --no-deps --compile-bytecode "$work"/wheels/*.whl

# Tests and headers of dependencies are never run here, and are a sixth of the size.
find "$target" -type d \( -name tests -o -name test \) -path '*/site-packages/*' -prune -exec rm -rf {} +
find "$target" -type d -name include -path '*/site-packages/*/include' -prune -exec rm -rf {} +
