#!/bin/sh
# A wheel of the Python package is made, installed into a folder of its own, and used from there (tests/cli/python.py).
# $PYTHON: which one; else python3, or that of the peers (tests/peers/environment) where it alone has NumPy.
# usage: python.sh PRECIS SOURCE_FOLDER SHARED_LIBRARY
set -eu
precis=$1
root=$2
library=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
peers=${XDG_CACHE_HOME:-$HOME/.cache}/precis/peers/bin/python
python=${PYTHON:-python3}
if [ -z "${PYTHON:-}" ] && ! "$python" -c 'import numpy' 2>/dev/null && "$peers" -c 'import numpy' 2>/dev/null; then
    python=$peers
fi
"$python" "$root/python/build-wheel" --library "$library" --out "$work" --no-audit
set -- "$work"/*.whl
"$python" "$root/python/build-wheel" --library "$library" --out "$work/again" --no-audit >/dev/null
cmp "$1" "$work/again/$(basename "$1")" || { echo "the same files gave another wheel"; exit 1; }
if "$python" -m pip --version >/dev/null 2>&1; then
    PIP_ROOT_USER_ACTION=ignore "$python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps \
        --target "$work/site" "$1"
else
    "$python" -m zipfile -e "$1" "$work/site"
fi
# From the folder of the wheel alone: nothing of the source folder is on the path.
cd "$work"
mkdir made
PYTHONPATH=$work/site
PYTHONSAFEPATH=1
PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH PYTHONSAFEPATH PYTHONDONTWRITEBYTECODE
"$python" "$root/tests/cli/python.py" "$precis" "$root" "$work/made"
