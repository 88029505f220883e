# Sourced by scripts/test: what the tests need besides Python packages, installed where we may, named where we may not.
missing=""
not_run() { missing="$missing
NOT RUN: $1"; }
report_not_run() {
    [ -z "$missing" ] && return 0
    echo "$missing"
    [ "${CI:-}" != true ]
}
apt_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    [ -n "${apt_updated:-}" ] || { apt-get update -qq || return 1; apt_updated=1; }
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
# need COMMAND PURPOSE PACKAGE…
need() {
    command=$1; purpose=$2; shift 2
    command -v "$command" >/dev/null || apt_install "$@" || not_run "$purpose: $command is not installed"
}
need_postgres() {
    command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 \
        || apt_install postgresql || not_run "$1: postgres is not installed"
}
