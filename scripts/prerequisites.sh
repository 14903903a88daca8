# What ./fog and ./dev need on the machine, and how to install it where that can be done. Sourced by both; not a command.
# Expects `set -euo pipefail`. Everything said here goes to stderr: stdout belongs to the command.

export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1

say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }
die() { printf "$(basename "$0"): %s\n" "$@" >&2; exit 1; }

# ---- .NET SDK ------------------------------------------------------------------------------------------------------------------------------

find_dotnet() {
    local candidate
    for candidate in "$(command -v dotnet || true)" "${DOTNET_ROOT:-/nonexistent}/dotnet" "${HOME:-/nonexistent}/.dotnet/dotnet" /usr/share/dotnet/dotnet /usr/lib/dotnet/dotnet; do
        if [ -x "$candidate" ]; then
            dotnet=$candidate
            return
        fi
    done
    die "The .NET 10 SDK is not installed, and this script does not install it." \
        "Install it, then call ./$(basename "$0") again:" \
        "  Debian, Ubuntu: the package dotnet-sdk-10.0 (on Debian after adding Microsoft's package feed)" \
        "  any Linux, macOS: https://dot.net  (the script dotnet-install.sh --channel 10.0 puts it into ~/.dotnet)"
}

require_sdk() {
    if ! "$dotnet" --list-sdks 2>/dev/null | grep -q '^1[0-9]\.'; then
        die "$dotnet has no SDK of version 10 (it has: $("$dotnet" --list-sdks 2>/dev/null | cut -d' ' -f1 | tr '\n' ' '))." \
            "Install the .NET 10 SDK (package dotnet-sdk-10.0, or https://dot.net), then call ./$(basename "$0") again."
    fi
}

# ---- PostgreSQL and bubblewrap -------------------------------------------------------------------------------------------------------------

has_postgres() {
    command -v postgres >/dev/null 2>&1 || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null
}

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold "$@"
}

# Runs a step quietly; its whole output only when it fails.
quietly() {
    local log
    log=$(mktemp)
    if "$@" >"$log" 2>&1; then
        rm -f "$log"
    else
        local code=$?
        cat "$log" >&2
        rm -f "$log"
        return "$code"
    fi
}

install_postgres() {
    # Debian's package would create and start a cluster of the whole system on port 5432; we want the binaries only.
    quietly apt install --no-install-recommends postgresql-common
    local conf=/etc/postgresql-common/createcluster.conf
    if [ -f "$conf" ] && ! compgen -G '/etc/postgresql/*/main' >/dev/null; then
        sed -i 's/^#\?\s*create_main_cluster\s*=.*/create_main_cluster = false/' "$conf"
        grep -q '^create_main_cluster = false' "$conf" || echo 'create_main_cluster = false' >>"$conf"
    fi
    quietly apt install --no-install-recommends postgresql
}

install_redis() {
    quietly apt install --no-install-recommends redis-server
    # Debian's package starts a server of the whole system on port 6379; tests start their own.
    if command -v systemctl >/dev/null 2>&1; then
        systemctl disable --now redis-server >/dev/null 2>&1 || say "the service redis-server could not be switched off; it listens on port 6379 of the loopback"
    fi
}

# What the command needs: a database server for 'demo' and 'up' (not when 'up' is given one by DATABASE_URL), Redis for tests, the sandbox wherever jobs run.
require_tools() {
    local missing=()
    case $1 in
        demo) has_postgres || missing+=(postgresql) ;;
        test)
            has_postgres || missing+=(postgresql)
            command -v redis-server >/dev/null 2>&1 || missing+=(redis-server)
            ;;
        up) [ -n "${DATABASE_URL:-}" ] || has_postgres || missing+=(postgresql) ;;
    esac
    command -v bwrap >/dev/null 2>&1 || missing+=(bubblewrap)
    [ ${#missing[@]} -eq 0 ] && return
    if [ "$(uname -s)" = Linux ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "installing what is missing: ${missing[*]} (apt-get; PostgreSQL and Redis without a service of the system)"
        quietly apt update || die "'apt-get update' failed: see above. Check the network and the package sources, then call ./$(basename "$0") again."
        local package
        for package in "${missing[@]}"; do
            if [ "$package" = postgresql ]; then
                install_postgres || die "PostgreSQL could not be installed: see above."
            elif [ "$package" = redis-server ]; then
                install_redis || die "Redis could not be installed: see above."
            else
                quietly apt install --no-install-recommends "$package" || die "$package could not be installed: see above."
            fi
        done
        say "installed: ${missing[*]}"
    else
        local how="with your package manager: PostgreSQL 15 or newer (its server binaries), bubblewrap (Linux only); for tests redis-server 6 or newer"
        command -v apt-get >/dev/null 2>&1 && how="sudo apt-get install ${missing[*]}"
        command -v dnf >/dev/null 2>&1 && how="sudo dnf install ${missing[*]/postgresql/postgresql-server}"
        command -v brew >/dev/null 2>&1 && how="brew install postgresql@17 redis   (bubblewrap exists on Linux only)"
        # Without bubblewrap a machine merely does not offer the sandbox; without a database nothing starts, and tests need Redis.
        if [[ " ${missing[*]} " == *" redis-server "* ]]; then
            die "These programs are missing: ${missing[*]}" "Install them: $how"
        fi
        if [[ " ${missing[*]} " == *" postgresql "* ]]; then
            die "These programs are missing: ${missing[*]}" "Install them: $how" "Or set DATABASE_URL to a PostgreSQL you have (for: fog up)."
        fi
        say "bubblewrap is missing, so this machine cannot run commands of jobs in a sandbox. Install it: $how"
    fi
}
