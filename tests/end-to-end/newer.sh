# The packages of debian_clients.sh, or the reason why one is missing.
# shellcheck shell=bash

readonly newer=$TEST_ROOT/clients/debian

# Skips unless a package of programs could be fetched and a command of it runs here.
require_newer() {
    require_fetched "$newer/missing/$1"
    require_to_run "${@:2}"
}

# Skips if one of these files exists. They contain the reason why a package could not be fetched.
require_fetched() {
    local missing
    for missing in "$@"; do
        [ ! -e "$missing" ] || skip "$(<"$missing")"
    done
}

require_to_run() {
    "$@" >"$user_dir/stdout" 2>&1 || skip "Debian's $1 does not run here: $(tail -n 1 "$user_dir/stdout")"
    rm "$user_dir/stdout"
}
