# Shared by the scripts of this folder; sourced, never run. Needs bash >= 4.4.
# shellcheck shell=bash

# Messages go to stderr: stdout belongs to results.
say() { printf '%s\n' "$*" >&2; }

# fail WHAT [NEXT_STEP]: say what went wrong and what to do next, and leave with status 1.
fail() {
    say "error: $1"
    [ $# -lt 2 ] || say "  next: $2"
    exit 1
}

now_ms() { date +%s%3N; }

# seconds_since MS: time passed since now_ms gave MS, in seconds with one decimal.
seconds_since() {
    local tenths=$((($(now_ms) - $1 + 50) / 100))
    printf '%d.%d s' $((tenths / 10)) $((tenths % 10))
}

# stage TITLE COMMAND...: run a command and say how long it took, or that and with which status it failed.
stage() {
    local title=$1 begin status=0
    shift
    begin=$(now_ms)
    say "== $title"
    "$@" || status=$?
    if [ "$status" -eq 0 ]; then
        say "== $title: $(seconds_since "$begin")"
    else
        say "== $title: failed with status $status after $(seconds_since "$begin")"
    fi
    return "$status"
}

# The same rule as harness/paths.py.
cache_folder() {
    if [ -n "${DLGAUGE_CACHE:-}" ]; then
        printf '%s\n' "$DLGAUGE_CACHE"
    elif [ -n "${XDG_CACHE_HOME:-}" ]; then
        printf '%s\n' "$XDG_CACHE_HOME/dlgauge"
    elif [ -n "${HOME:-}" ]; then
        printf '%s\n' "$HOME/.cache/dlgauge"
    else
        fail "none of DLGAUGE_CACHE, XDG_CACHE_HOME and HOME is set" "set DLGAUGE_CACHE to a folder for dlgauge's files"
    fi
}

have() { command -v "$1" >/dev/null 2>&1; }

may_be_root() { [ "$(id -u)" -eq 0 ] || { have sudo && sudo -n true 2>/dev/null; }; }

# as_root COMMAND...: run a command as root; the caller has asked may_be_root before.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo -n -- "$@"
    fi
}

# apt_install LOG PACKAGE...: install Debian packages, their chatter into LOG. Fetches the package lists only where
# they are missing or outdated.
apt_install() {
    local log=$1
    shift
    local -a install=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300
        -o Acquire::Retries=3 --no-install-recommends install "$@")
    if as_root "${install[@]}" </dev/null >>"$log" 2>&1; then
        return
    fi
    as_root apt-get -q -o DPkg::Lock::Timeout=300 update </dev/null >>"$log" 2>&1 || true
    as_root "${install[@]}" </dev/null >>"$log" 2>&1
}
