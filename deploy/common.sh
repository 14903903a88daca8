# What ./backup and ./restore share. Sourced by both; not a command. Expects `set -euo pipefail`.
# Everything said here goes to stderr: what happened, why, what to do next.

say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }

# die CODE SENTENCE …
die() {
    local code=$1
    shift
    printf "$(basename "$0"): %s\n" "$@" >&2
    exit "$code"
}

need() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null 2>&1 || die 2 "The program '$program' is missing. Install it and call this again."
    done
}

# The newest PostgreSQL programs of this machine, also where Debian keeps them out of PATH. A dump needs a pg_dump that is at least as new as its server.
find_postgres_tools() {
    local newest
    newest=$(compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -n 1 || true)
    [ -z "$newest" ] || PATH="$newest:$PATH"
    need psql pg_dump pg_restore
}

# The control plane's program: FOG_API_DLL, the installed one beside this folder, or the one that ./fog built.
find_fogcompute() {
    local here=$1
    if [ -n "${FOG_API_DLL:-}" ]; then
        [ -f "$FOG_API_DLL" ] || die 2 "FOG_API_DLL is '$FOG_API_DLL', and there is no such file."
        fogcompute=(dotnet "$FOG_API_DLL")
    elif [ -x "$here/../api/FogCompute.Api" ]; then
        fogcompute=("$here/../api/FogCompute.Api")
    elif [ -f "$here/../.fog/build/bin/Api/release/FogCompute.Api.dll" ]; then
        fogcompute=(dotnet "$here/../.fog/build/bin/Api/release/FogCompute.Api.dll")
    else
        fogcompute=()
    fi
}

# start NAME COMMAND …: runs it in the background with a pipe to it and one from it; their descriptors are to_NAME and from_NAME, its process is pid_NAME.
# (bash's coproc allows one at a time, and closes the pipes under their reader when the command ends.)
start() {
    local name=$1 pipes to from
    shift
    pipes=$(mktemp -d)
    mkfifo "$pipes/to" "$pipes/from"
    "$@" <"$pipes/to" >"$pipes/from" &
    printf -v "pid_$name" %s $!
    exec {to}>"$pipes/to" {from}<"$pipes/from"
    printf -v "to_$name" %s "$to"
    printf -v "from_$name" %s "$from"
    rm -r "$pipes"
}

# Sets `url` (for libpq) and, for the embedded database, keeps it running until this script ends.
open_database() {
    if [ -n "${DATABASE_URL:-}" ]; then
        case $DATABASE_URL in
            postgresql://* | postgres://*) url=$DATABASE_URL ;;
            postgresql+*://* | postgres+*://*) url="postgresql://${DATABASE_URL#*://}" ;;
            *) die 2 "DATABASE_URL is not a URL, which is all that PostgreSQL's own programs read." "Write it as postgresql://user:password@host:5432/database and call this again." ;;
        esac
        return
    fi
    [ ${#fogcompute[@]} -gt 0 ] || die 2 "Without DATABASE_URL the database is the embedded one, and only the control plane's program can run it; that was not found." \
        "Set DATABASE_URL, or FOG_API_DLL to the path of FogCompute.Api.dll."
    # It ends with its standard input, that is with this script, whichever way that goes.
    start embedded run_embedded
    IFS= read -r url <&"$from_embedded" || die 1 "The embedded database of $home did not start: see above."
}

# The database's server runs under an account of its own, which must be able to pass through its folders.
run_embedded() {
    umask 022
    exec env FOG_HOME="$home" "${fogcompute[@]}" database
}

close_database() {
    [ -n "${pid_embedded:-}" ] || return 0
    exec {to_embedded}>&- {from_embedded}<&-
    wait "$pid_embedded" || true
    pid_embedded=
}

# Rows print the same on every server with these.
export PGOPTIONS='-c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=iso_8601 -c bytea_output=hex -c extra_float_digits=1 -c statement_timeout=0 -c idle_in_transaction_session_timeout=0'
export PGCLIENTENCODING=UTF8 PGAPPNAME=fogcompute-$(basename "$0")

query() { psql -X -q -A -t -F ' ' -v ON_ERROR_STOP=1 "$url" -c "$1"; }

# One line per table, `table NAME ROWS SUM`, in order. The sum adds up the MD5 of each row's text, in halves: it does not depend on the order of rows. It tells
# whether a copy is whole; against somebody who forges there is the ledger's chain.
tables_sql=$(cat <<'SQL'
SELECT format('SELECT ''table'', %L, count(*), coalesce(sum((''x'' || left(m, 16))::bit(64)::bigint::numeric), 0) || ''/'' || coalesce(sum((''x'' || right(m, 16))::bit(64)::bigint::numeric), 0) FROM (SELECT md5(t::text) AS m FROM %I.%I AS t) AS rows',
    n.nspname || '.' || c.relname, n.nspname, c.relname)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, c.relname
SQL
)
facts_sql="SELECT 'schema', coalesce(max(number), 0) FROM platform.schema_migrations;
SELECT 'ledger', coalesce(max(number), 0), coalesce((SELECT encode(hash, 'hex') FROM tokenomics.blocks ORDER BY number DESC LIMIT 1), '-') FROM tokenomics.blocks;
SELECT 'checkpoints', count(*) FROM tokenomics.checkpoints;"
