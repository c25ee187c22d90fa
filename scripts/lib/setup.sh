# Setting up the project's .venv; sourced by scripts/quickstart and scripts/test after common.sh. They set ROOT.
# shellcheck shell=bash

# The first Python in sight that is new enough and can make virtual environments.
find_python() {
    local candidate seen=''
    for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
        if [ -z "$candidate" ] || ! have "$candidate"; then continue; fi
        seen+="${seen:+, }$candidate ($("$candidate" --version 2>&1 | head -n 1))"
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    fail "no Python 3.11 or later that can make virtual environments; found: ${seen:-none}" \
        "install one (Debian, Ubuntu: python3 and python3-venv), or name it: PYTHON=/path/to/python3.12 $0"
}

# set_up_venv [EXTRA]: make .venv with dlgauge installed in place, with that extra of pyproject.toml. A .venv that was made
# from the same pyproject.toml is used as it is.
set_up_venv() {
    local extra=${1:-} venv=$ROOT/.venv python want stamp log
    if ! "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$(find_python) || exit 1
        "$python" -m venv --clear "$venv" ||
            fail "$python could not make $venv" "its message stands above (Debian, Ubuntu: is python3-venv installed?)"
    fi
    log=$venv/setup.log stamp=$venv/.dlgauge-setup${extra:+-$extra}
    # Only one set-up at a time; the second then finds it done.
    exec 8<"$venv"
    flock 8
    # The folder counts too: an editable install and the programs in .venv/bin name it.
    want=$({ printf '%s\n' "$ROOT" && cat -- "$ROOT/pyproject.toml"; } | sha256sum)
    if [ "$(cat -- "$stamp" 2>/dev/null)" != "$want" ]; then
        if ! "$venv/bin/python" -m pip install --disable-pip-version-check --no-input --no-compile \
            --editable "$ROOT${extra:+[$extra]}" </dev/null >"$log" 2>&1; then
            tail -n 15 -- "$log" >&2
            fail "pip could not install dlgauge into $venv; its last lines stand above" "see $log; check the network"
        fi
        printf '%s\n' "$want" | tee -- "$stamp" >"$venv/.dlgauge-setup"
    fi
    exec 8<&-
}
