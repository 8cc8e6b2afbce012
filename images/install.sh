#!/bin/sh
# install.sh VENV LOCK...
# Builds the environment of an image from its locks: without what no runtime reads, and the same files each time.
set -eu

venv="$1"
shift
here="$(dirname "$0")"
site="$venv/lib/python3.10/site-packages"

uv venv --no-project --python python3.10 "$venv"
uv pip sync --require-hashes --python "$venv/bin/python" "$@"

# The packages' own tests, C++ headers, and a compiler's library that TensorFlow asks for and never loads.
find "$site" -type d -name tests -prune -exec rm -r {} +
rm -rf "$site/tensorflow/include" "$site/pyarrow/include" "$site/clang"

# Nothing is left to install, so this only compiles what is there.
uv pip sync --require-hashes --compile-bytecode --python "$venv/bin/python" "$@"

install -m 755 "$here/pedalflow" "$venv/bin/pedalflow"
install -m 644 "$here/pedalflow-project.pth" "$site/pedalflow-project.pth"
chmod -R u=rwX,go=rX "$venv"
find "$venv" -exec touch --no-dereference --date=1980-01-01T00:00:00Z {} +
