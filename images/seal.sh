#!/bin/sh
# seal.sh VENV FOLDER
# Compiles the code in FOLDER, and gives its files the modes and times that they have in every build.
set -eu

"$1/bin/python" -m compileall -q --invalidation-mode unchecked-hash "$2"
chmod -R u=rwX,go=rX "$2"
find "$2" -exec touch --no-dereference --date=1980-01-01T00:00:00Z {} +
