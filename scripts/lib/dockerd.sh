# Starting, stopping and installing Docker; sourced by scripts/container-engine, which sets STATE, the folder of state.
# shellcheck shell=bash

START_TIMEOUT_S=40
STOP_TIMEOUT_S=20

start_engine() {
    local socket
    socket=$(socket_to_listen_on)
    if ! have_dockerd; then
        install_docker
        # A package may start what it installs.
        if find_engine; then
            printf 'service\n' >"$STATE/started"
            return
        fi
    fi
    may_be_root || fail "no engine answers ($TRIED), Docker is installed, but starting it needs root" \
        "start it yourself (for instance: sudo systemctl start docker), or run this as root"
    if [ -d /run/systemd/system ] && [ -z "${DOCKER_HOST:-}${DLGAUGE_DOCKER_ROOT:-}" ]; then
        start_by_systemd
    else
        start_by_hand "$socket"
    fi
}

# An engine is started only where this machine can listen.
socket_to_listen_on() {
    case "${DOCKER_HOST:-unix:///var/run/docker.sock}" in
        unix:///*) printf '%s\n' "${DOCKER_HOST:-unix:///var/run/docker.sock}" ;;
        *) fail "nothing answers at DOCKER_HOST=$DOCKER_HOST ($TRIED)" \
            "start the engine there, or unset DOCKER_HOST to use one on this machine" ;;
    esac
}

# dockerd lies in /usr/sbin, which is not in every user's PATH.
have_dockerd() { PATH=$PATH:/usr/sbin:/sbin have dockerd; }

install_docker() {
    local log=$STATE/apt.log begin
    local -a packages=(docker.io)
    have apt-get || fail "no engine answers ($TRIED), and there is no apt-get to install Docker with" \
        "install Docker or Podman with this system's own tools and start it"
    [ -z "${DLGAUGE_NO_INSTALL:-}" ] || fail "no engine answers ($TRIED), and DLGAUGE_NO_INSTALL forbids to install one" \
        "unset DLGAUGE_NO_INSTALL, or install Docker or Podman and start it"
    may_be_root || fail "no engine answers ($TRIED), and installing one needs root or sudo without a password" \
        "ask for the package docker.io to be installed and for membership in the group docker, or run this as root"
    # A kernel that enforces AppArmor refuses containers where its parser is missing.
    if [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ]; then packages+=(apparmor); fi
    begin=$(now_ms)
    say "installing ${packages[*]} with apt-get (log: $log)"
    : >"$log"
    if ! apt_install "$log" "${packages[@]}"; then
        tail -n 15 -- "$log" >&2
        fail "apt-get could not install ${packages[*]}; its last lines stand above" "see $log; check the network and the apt sources"
    fi
    say "installed in $(seconds_since "$begin")"
}

start_by_systemd() {
    say "starting the systemd unit docker"
    as_root systemctl start docker || fail "systemctl could not start the unit docker" "journalctl -u docker"
    printf 'systemd\n' >"$STATE/started"
    wait_for_engine '' || fail "the unit docker runs, but nothing answers ($TRIED)" \
        "journalctl -u docker; a user who is not root must be in the group docker"
}

# Plain first. A machine that may not change its packet filter can do without a bridge: trials have no network, and images
# are built on the host's. Where no overlay file system can be mounted, vfs copies every layer: slow, but it works.
start_by_hand() {
    local socket=$1 begin
    begin=$(now_ms)
    if try_dockerd "$socket"; then
        :
    elif try_dockerd "$socket" --iptables=false --ip6tables=false --bridge=none; then
        say "note: containers of this engine have no bridge network; dlgauge needs none"
    elif try_dockerd "$socket" --iptables=false --ip6tables=false --bridge=none --storage-driver=vfs; then
        say "note: this engine copies layers (vfs) for want of overlayfs: images take more time and space"
    else
        tail -n 15 -- "$STATE/dockerd.log" >&2
        fail "dockerd does not start: tried as it is, without a bridge network, and with plain copies as storage" \
            "see $STATE/dockerd.log; inside a container or a small virtual machine, check that /sys/fs/cgroup is mounted"
    fi
    say "dockerd started by hand in $(seconds_since "$begin") (log: $STATE/dockerd.log)"
}

# try_dockerd SOCKET OPTION...: start dockerd in the background; true when it answers.
try_dockerd() {
    local socket=$1 pid
    shift
    # The default limit on open files is refused inside some virtual machines, hence one of our own.
    local -a command=(dockerd --host="$socket" --log-level=warn --default-ulimit=nofile=1024:4096 "$@")
    if [ -n "${DLGAUGE_DOCKER_ROOT:-}" ]; then
        command+=(--data-root="$DLGAUGE_DOCKER_ROOT/data" --exec-root="$DLGAUGE_DOCKER_ROOT/exec"
            --pidfile="$DLGAUGE_DOCKER_ROOT/dockerd.pid")
        mkdir -p -- "$DLGAUGE_DOCKER_ROOT"
    fi
    say "trying: ${command[*]}"
    printf '\n== %s: %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "${command[*]}" >>"$STATE/dockerd.log"
    # 9 is the lock of this script, which must not live on in the engine.
    # A simple command and not as_root: $! must be dockerd, or the sudo that passes signals on to it.
    if [ "$(id -u)" -ne 0 ]; then command=(sudo -n -- env PATH="$PATH:/usr/sbin:/sbin" "${command[@]}"); fi
    PATH=$PATH:/usr/sbin:/sbin setsid "${command[@]}" </dev/null >>"$STATE/dockerd.log" 2>&1 9>&- &
    pid=$!
    if wait_for_engine "$pid"; then
        printf 'by-hand %s\n' "$pid" >"$STATE/started"
        return 0
    fi
    end_process "$pid" || true
    return 1
}

# wait_for_engine PID: true when an engine answers; false when the process PID (if given) has ended, or after the timeout.
wait_for_engine() {
    local deadline=$((SECONDS + START_TIMEOUT_S))
    while [ "$SECONDS" -lt "$deadline" ]; do
        if find_engine; then return 0; fi
        if [ -n "$1" ] && ! kill -0 "$1" 2>/dev/null; then return 1; fi
        sleep 0.3
    done
    return 1
}

# end_process PID: end the engine of that process (or the sudo around it, which passes the signal on) and wait until it
# has gone. A number that by now belongs to something else is left alone.
end_process() {
    local pid=$1 deadline=$((SECONDS + STOP_TIMEOUT_S))
    case "$(cat "/proc/$pid/comm" 2>/dev/null)" in
        dockerd | sudo) ;;
        *) return 0 ;;
    esac
    as_root kill -TERM "$pid" 2>/dev/null || return 0
    while [ -d "/proc/$pid" ] && ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null; do
        if [ "$SECONDS" -ge "$deadline" ]; then return 1; fi
        sleep 0.2
    done
}

stop_engine() {
    local how='' pid=''
    if [ -e "$STATE/started" ]; then read -r how pid <"$STATE/started"; fi
    case "$how" in
        '')
            say "no engine was started by this script; nothing to stop"
            return
            ;;
        systemd) as_root systemctl stop docker.socket docker ;;
        service) as_root service docker stop >&2 ;;
        by-hand) end_process "$pid" || fail "dockerd did not end within $STOP_TIMEOUT_S s" "see $STATE/dockerd.log" ;;
    esac
    rm -f -- "$STATE/started"
    if find_engine; then
        say "note: another engine still answers at $ADDRESS; it was not started by this script"
    else
        say "the engine was stopped"
    fi
}
