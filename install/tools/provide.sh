# The tools that build packages, in pinned versions, fetched into the build directory when they are first needed. Sourced
# by scripts whose directory is the workspace. ICR_TOOLS is another directory for them, to share.
# shellcheck shell=bash
# shellcheck disable=SC2034 # used by the script that sources this

build_directory=$(mkdir -p "${CARGO_TARGET_DIR:-target}" && cd "${CARGO_TARGET_DIR:-target}" && pwd)
tools=${ICR_TOOLS:-$build_directory/tools}
readonly build_directory tools
PATH=$PATH:${CARGO_HOME:-${HOME:-}/.cargo}/bin

# rustc's name for static binaries of a processor.
target_of() {
    case $1 in
    x86_64 | aarch64) echo "$1-unknown-linux-musl" ;;
    *)
        echo "${0##*/}: static binaries are built for x86_64 and aarch64, not for $1" >&2
        exit 2
        ;;
    esac
}

# The time of the commit, in seconds, which is the time of all built files.
source_date() {
    echo "${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}"
}

# Sets $zig.
provide_zig() {
    local directory
    directory=$tools/zig-$(sed -n 's/^ziglang==\([^ ]*\).*/\1/p' install/tools/zig.txt)
    zig=$directory/ziglang/zig
    [ ! -x "$zig" ] || return 0
    rm -rf "$directory.new"
    python3 -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
        --target "$directory.new" --requirement install/tools/zig.txt >&2
    mv "$directory.new" "$directory"
}

# Installs a program of a crate, and prints its path.
provide_program() {
    local name=$1 version=$2 directory=$tools/$1-$2
    if [ ! -x "$directory/bin/$name" ]; then
        env --unset=CARGO_TARGET_DIR cargo install --quiet --locked --root "$directory" \
            --target-dir "$directory/build" --profile dev "$name@$version" >&2
        rm -rf "$directory/build"
    fi
    echo "$directory/bin/$name"
}
