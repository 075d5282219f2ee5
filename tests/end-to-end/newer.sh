# Programs of debian_clients.sh, which come before the machine's own.
# shellcheck shell=bash

readonly newer=$LAB/clients/debian/usr
PATH=$newer/bin:$PATH

# Skips unless a package could be fetched and a command of it runs here.
require_newer() {
    local package=$1 missing=$LAB/clients/debian/missing/$1
    shift
    [ ! -e "$missing" ] || skip "$(<"$missing")"
    "$@" >"$person/stdout" 2>&1 || skip "$package of Debian does not run here: $(tail -n 1 "$person/stdout")"
    rm "$person/stdout"
}
