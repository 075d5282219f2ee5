# A Debian in a directory, for tests that need programs of another release.
# shellcheck shell=bash

# shellcheck source=tests/end-to-end/debian_clients.sh
. "$(dirname "${BASH_SOURCE[0]}")/end-to-end/debian_clients.sh"

# A Debian is created again after this many days.
readonly days_cached=30

# Unpacks a Debian of a release with packages (comma-separated) into a directory, from the cached archive if that is recent.
# Fails with the last lines of the log if it cannot be created.
#
#   unpack_debian ARCHIVE RELEASE PACKAGES DIRECTORY
unpack_debian() {
    local archive=$1 directory=$4 mirror
    mapfile -t mirror < <(debian_mirror)
    mkdir -p "$(dirname "$archive")" "$directory"
    if [ -z "$(find "$archive" -mtime "-$days_cached" 2>/dev/null)" ]; then
        mmdebstrap --quiet --format=tar --variant=minbase --include="$3" \
            --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
            "$2" "$archive.new" "${mirror[@]}" >"$archive.log" 2>&1 || {
            tail -n 5 "$archive.log"
            return 1
        }
        rm "$archive.log"
        mv "$archive.new" "$archive"
    fi
    tar -C "$directory" -xf "$archive" --exclude='./dev/*'
    # An installed Debian has this file, but mmdebstrap does not create it.
    echo "127.0.0.1 localhost" >"$directory/etc/hosts"
}
