# What debian_clients.sh has fetched, or the reason why it is not there.
# shellcheck shell=bash

readonly newer=$LAB/clients/debian

# Skips unless a package of programs could be fetched and a command of it runs here.
require_newer() {
    require_fetched "$newer/missing/$1"
    require_to_run "${@:2}"
}

# Skips if any of these files, which say why a package could not be fetched, is there.
require_fetched() {
    local missing
    for missing in "$@"; do
        [ ! -e "$missing" ] || skip "$(<"$missing")"
    done
}

require_to_run() {
    "$@" >"$person/stdout" 2>&1 || skip "Debian's $1 does not run here: $(tail -n 1 "$person/stdout")"
    rm "$person/stdout"
}
