# The image that every container of dlgauge starts from; sourced by scripts/container-engine, which sets ADDRESS and STATE.
# shellcheck shell=bash

BASE_IMAGE=debian:bullseye
SUITE=bullseye

ensure_base_image() {
    local begin why
    if engine has "$ADDRESS" "$BASE_IMAGE"; then
        say "$BASE_IMAGE is there"
        return
    fi
    begin=$(now_ms)
    say "pulling $BASE_IMAGE"
    if why=$(engine pull "$ADDRESS" "$BASE_IMAGE" 2>&1); then
        say "$BASE_IMAGE pulled in $(seconds_since "$begin")"
        return
    fi
    say "  it cannot be pulled: $why"
    build_base_image
    say "$BASE_IMAGE built in $(seconds_since "$begin")"
}

# Runs in the current shell, so that the trap finds its folder.
build_base_image() {
    local mirror security log=$STATE/debootstrap.log begin
    may_be_root || fail "$BASE_IMAGE can be neither pulled nor built: debootstrap needs root" \
        "run this as root, or load the image on this machine: docker load < image.tar (docs/containers.md)"
    ensure_debootstrap
    mirror=$(find_mirror) || fail "$BASE_IMAGE cannot be pulled, and no Debian mirror offers $SUITE (tried: $(mirror_candidates | tr '\n' ' '))" \
        "set DLGAUGE_DEBIAN_MIRROR to a mirror that has it, or load the image: docker load < image.tar (docs/containers.md)"
    security=$(find_security_mirror "$mirror") || say "  note: no mirror offers $SUITE-security; the image does without"

    # Not /tmp, which may forbid the device files that debootstrap makes.
    WORK=$(mktemp -d "${DLGAUGE_DOCKER_ROOT:-/var/tmp}/dlgauge-base.XXXXXX")
    trap remove_work EXIT
    begin=$(now_ms)
    say "building it: debootstrap --variant=minbase $SUITE (log: $log)"
    if ! as_root env PATH="$PATH:/usr/sbin:/sbin" debootstrap --variant=minbase "$SUITE" "$WORK/root" "$mirror" \
        </dev/null >"$log" 2>&1; then
        tail -n 15 -- "$log" >&2
        fail "debootstrap failed; its last lines stand above" "see $log; another mirror can be named in DLGAUGE_DEBIAN_MIRROR"
    fi
    say "  root file system made in $(seconds_since "$begin")"
    strip_root "$mirror" "$security"
    begin=$(now_ms)
    as_root tar -C "$WORK/root" --numeric-owner -c . | engine import "$ADDRESS" "$BASE_IMAGE" ||
        fail "the engine did not take the image; its reason stands above" "see the log of the engine; is the disk full?"
    say "  imported in $(seconds_since "$begin")"
    remove_work
}

remove_work() {
    if [ -n "${WORK:-}" ]; then
        as_root rm -rf --one-file-system -- "$WORK"
        WORK=''
    fi
}

# strip_root MIRROR [SECURITY_MIRROR]: leave out what can be fetched again, and say where from.
strip_root() {
    local line="deb $1 $SUITE main"
    if [ -n "${2:-}" ]; then line+=$'\n'"deb $2 $SUITE-security main"; fi
    printf '%s\n' "$line" | as_root tee "$WORK/root/etc/apt/sources.list" >/dev/null
    as_root find "$WORK/root/var/cache/apt" "$WORK/root/var/lib/apt/lists" "$WORK/root/var/log" -type f -delete
    as_root rm -f -- "$WORK/root/etc/resolv.conf" "$WORK/root/etc/hostname"
}

ensure_debootstrap() {
    local log=$STATE/apt.log begin
    local -a missing=()
    PATH=$PATH:/usr/sbin:/sbin have debootstrap || missing+=(debootstrap)
    # Without Debian's keys debootstrap would take packages unverified.
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing+=(debian-archive-keyring)
    [ "${#missing[@]}" -gt 0 ] || return 0
    have apt-get || fail "$BASE_IMAGE cannot be pulled, and this machine lacks ${missing[*]}" \
        "install them, or load the image: docker load < image.tar (docs/containers.md)"
    [ -z "${DLGAUGE_NO_INSTALL:-}" ] || fail "$BASE_IMAGE cannot be pulled, and building it needs ${missing[*]}" \
        "scripts/container-engine base, which installs what it needs"
    begin=$(now_ms)
    say "installing ${missing[*]} with apt-get (log: $log)"
    if ! apt_install "$log" "${missing[@]}"; then
        tail -n 15 -- "$log" >&2
        fail "apt-get could not install ${missing[*]}; its last lines stand above" "see $log"
    fi
    say "installed in $(seconds_since "$begin")"
}

# The mirrors of this machine's own apt sources, one a line.
mirror_candidates() {
    if [ -n "${DLGAUGE_DEBIAN_MIRROR:-}" ]; then
        printf '%s\n' "$DLGAUGE_DEBIAN_MIRROR"
        return
    fi
    # The text in single quotes is apt's, not the shell's.
    # shellcheck disable=SC2016
    apt-get indextargets --no-release-info --format '$(REPO_URI)' 'Identifier: Packages' 2>/dev/null | sort -u
}

# offers MIRROR SUITE: whether the mirror has that suite of Debian and it has not expired. Asked with apt's own client,
# which knows this machine's proxies and certificates.
offers() {
    local file until status=1
    file=$(mktemp)
    if /usr/lib/apt/apt-helper -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 \
        download-file "${1%/}/dists/$2/Release" "$file" >/dev/null 2>&1 && grep -qx "Codename: $2" "$file"; then
        until=$(sed -n 's/^Valid-Until: //p' "$file")
        if [ -z "$until" ] || [ "$(date -d "$until" +%s)" -gt "$(date +%s)" ]; then status=0; fi
    fi
    rm -f -- "$file"
    return "$status"
}

find_mirror() {
    local candidate
    while read -r candidate; do
        if offers "$candidate" "$SUITE"; then
            printf '%s\n' "${candidate%/}"
            return 0
        fi
    done < <(mirror_candidates)
    return 1
}

# find_security_mirror MIRROR: among the apt sources, else beside the mirror, where Debian keeps it.
find_security_mirror() {
    local candidate
    while read -r candidate; do
        if offers "$candidate" "$SUITE-security"; then
            printf '%s\n' "${candidate%/}"
            return 0
        fi
    done < <(mirror_candidates && printf '%s\n' "${1%/}-security")
    return 1
}
