#!/usr/bin/env bash
# Installs the Debian packages that the build and the tests need, where they are missing, where it
# is asked to (CI=true, or INSTALL=yes) and where this user may: as root, or through a sudo that
# asks no password. Otherwise it says which they are and succeeds: the tests that need them are then
# skipped with the reason, or take longer (without Chromium's shell). Nobody's machine is changed
# unasked.
#
# Usage: tests/provision.sh [venv] [browser] [postgresql] [nginx] [compiler] [systemd] [pgbouncer] [apache] [deploy] [go] [rust] [java]
# (nothing named: browser, postgresql, nginx and systemd)
set -euo pipefail

python=${PYTHON:-python3}

missing_venv() { "$python" -c 'import ensurepip, venv' 2>/dev/null || echo "python3-venv"; }

missing_browser() {
    command -v chromium >/dev/null || echo "chromium"
    # The same without windows around its pages: half of the time for most tests in a browser
    command -v chromium-headless-shell >/dev/null || echo "chromium-headless-shell"
    # Latin with every accent; Cyrillic, Arabic and others for the fictional families' names
    for font in fonts-dejavu-core fonts-noto-core; do
        dpkg-query --show --showformat='${db:Status-Status}' "$font" 2>/dev/null \
            | grep -qx installed || echo "$font"
    done
}

missing_postgresql() { compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || echo "postgresql"; }

missing_nginx() { command -v nginx /usr/sbin/nginx >/dev/null || echo "nginx"; }

# Builds what tells a process another time than the machine's.
missing_compiler() { command -v cc >/dev/null && [ -e /usr/include/time.h ] || echo "gcc libc6-dev"; }

# Its programs, which read units; nothing of it is started.
missing_systemd() { command -v systemd-analyze >/dev/null || echo "systemd"; }

missing_pgbouncer() { command -v pgbouncer /usr/sbin/pgbouncer >/dev/null || echo "pgbouncer"; }

# The module brings Apache's program with it, and no Apache that is started.
missing_apache() {
    [ -e /usr/lib/apache2/modules/mod_auth_openidc.so ] || echo "libapache2-mod-auth-openidc"
}

# What reads deploy/: promtool, and the web server that fetches its certificate itself.
missing_deploy() {
    command -v mmdebstrap >/dev/null || echo "mmdebstrap"
    command -v promtool >/dev/null || echo "prometheus"
    command -v caddy >/dev/null || echo "caddy"
}

# Debian's own Go is too old for what is built; it fetches, verifies and keeps a newer one
# (tests/installs/compilers.py).
missing_go() { command -v go >/dev/null || echo "golang-go"; }

# The compiler that Debian keeps new for browsers: its own `rustc` is of 2022.
missing_rust() {
    at_least 1.85 "$(version_of cargo)" && command -v cc >/dev/null || echo "rustc-web cargo-web gcc libc6-dev"
}

# Debian 12's are new enough for Spring Boot 4: Java 17, Maven 3.8.
missing_java() {
    command -v javac >/dev/null && command -v mvn >/dev/null || echo "default-jdk-headless maven"
}

version_of() {
    { "$1" --version 2>/dev/null || true; } | grep --only-matching --extended-regexp '[0-9]+(\.[0-9]+)+' \
        | head --lines=1 || true
}

at_least() { printf '%s\n%s\n' "$1" "$2" | sort --version-sort --check=quiet; }

may_install() {
    command -v apt-get >/dev/null || return 1
    [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=3 \
        -o DPkg::Lock::Timeout=120 "$@" </dev/null
}

[ $# -gt 0 ] || set -- browser postgresql nginx systemd
packages=$(for part in "$@"; do "missing_$part"; done | tr '\n' ' ')
packages=${packages%% }
[ -n "$packages" ] || exit 0

if [ "${CI:-}" != true ] && [ "${INSTALL:-}" != yes ]; then
    echo "Missing Debian packages: $packages"
    echo "INSTALL=yes in front of the command installs them; tests go without: skipped, or slower."
    exit 0
fi
if ! may_install; then
    echo "Missing, and not ours to install (neither root nor sudo without a password): $packages"
    exit 0
fi
echo "Installing Debian packages: $packages"
# shellcheck disable=SC2086 # a list of words
if ! { apt update && apt install --yes --no-install-recommends $packages >/dev/null; }; then
    echo "These packages could not be installed: $packages" >&2
fi
