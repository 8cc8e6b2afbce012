# What the pages' shell knows beside its programs. A page is one shell, so a block has the variables of the blocks before it.
set -eu -o pipefail

command_not_found_handle() {
    echo "'$1' is in no table of tests/integration/docs/programs.py: say there whether it runs here, in part or not at all" >&2
    return 127
}

curl() { command curl --fail-with-body "$@"; }

in_another_terminal() { # its name, what it prints when it is ready, the command
    python "$DOCS_TESTS/terminal.py" "$DOCS_PLACE/terminals" "$@"
}

once() { # the same command on the same compiled file is not repeated on another page: it takes half a minute
    local what
    what="$(sha256sum build/*.yaml) $*"
    grep -qxF "$what" "$DOCS_PLACE/once" 2>/dev/null && return
    "$@"
    echo "$what" >>"$DOCS_PLACE/once"
}

release() { python "$DOCS_TESTS/known.py" release; }
another_release() { python "$DOCS_TESTS/known.py" another_release; }
run() { python "$DOCS_TESTS/known.py" run; }
event() { python "$DOCS_TESTS/known.py" event; }
version() { python "$DOCS_TESTS/known.py" version; }
python_block() { "$DOCS_PROJECT/.venv/serving/bin/python" - <"$1"; }
