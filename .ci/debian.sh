# Sourced by the scripts beside it.

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Install packages of Debian, as root or with sudo. Nothing that they bring is started, now or with the machine: while
# they are installed, the policy says so (exit 101), and whoever had a policy of their own gets it back.
install_packages() {
    if ! command -v apt-get >/dev/null || { [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; }; then
        echo "Missing: $*. apt-get cannot be used here: install what is missing as root, and try again" >&2
        return 1
    fi
    echo "Installing $*"
    as_root apt-get -qq update
    (
        policy=/usr/sbin/policy-rc.d
        [ ! -e $policy ] || as_root mv $policy $policy.kept
        trap 'as_root rm -f $policy; [ ! -e $policy.kept ] || as_root mv $policy.kept $policy' EXIT
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
        as_root chmod +x $policy
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null
    )
}
