# The tools that build packages, in pinned versions, fetched into the build directory when they are first needed. Sourced
# by scripts whose directory is the workspace. ICR_TOOLS is another directory for them, to share.
# shellcheck shell=bash
# shellcheck disable=SC2034 # used by the script that sources this

build_directory=$(mkdir -p "${CARGO_TARGET_DIR:-target}" && cd "${CARGO_TARGET_DIR:-target}" && pwd)
tools=${ICR_TOOLS:-$build_directory/tools}
readonly build_directory tools
# Appended once, also if a script runs another one: crates with C code are compiled again if the path changes.
case :$PATH: in
*:"${CARGO_HOME:-${HOME:-}/.cargo}/bin":*) ;;
*) PATH=$PATH:${CARGO_HOME:-${HOME:-}/.cargo}/bin ;;
esac

# The processors for which there are static binaries and packages, as `uname -m` names them.
readonly processors="x86_64 aarch64 ppc64le s390x"

# rustc's name for static binaries of a processor.
target_of() {
    case $1 in
    x86_64 | aarch64 | s390x) echo "$1-unknown-linux-musl" ;;
    ppc64le) echo powerpc64le-unknown-linux-musl ;;
    *)
        echo "${0##*/}: static binaries are built for ${processors// /, }, not for $1" >&2
        exit 2
        ;;
    esac
}

# rustc's name for binaries for Windows that Zig links.
windows_target_of() {
    case $1 in
    x86_64 | aarch64) echo "$1-pc-windows-gnullvm" ;;
    *)
        echo "${0##*/}: binaries for Windows are built for x86_64 and aarch64, not for $1" >&2
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

# Sets $certificates, the directory with Mozilla's certificate authorities (cacert.pem) and their licence (LICENSE).
provide_certificates() {
    local version
    version=$(sed -n 's/^certifi==\([^ ]*\).*/\1/p' install/tools/certificates.txt)
    certificates=$tools/certifi-$version
    [ ! -e "$certificates/LICENSE" ] || return 0
    rm -rf "$certificates.new"
    python3 -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
        --target "$certificates.new" --requirement install/tools/certificates.txt >&2
    mkdir -p "$certificates"
    cp "$certificates.new/certifi/cacert.pem" "$certificates/"
    cp "$certificates.new"/certifi-*.dist-info/licenses/LICENSE "$certificates/"
    rm -rf "$certificates.new"
}

# The crates whose programs are used, in pinned versions.
readonly crates="cargo-audit@0.22.2 cargo-auditable@0.7.7 cargo-cyclonedx@0.5.9 cargo-deb@3.8.0 cargo-deny@0.20.2 cargo-generate-rpm@0.21.1
rsign2@0.6.7 rust-audit-info@0.5.4"

# Installs the program of a crate, and prints its path. Its file may have another name than the crate.
provide_program() {
    local name=$1 file=${2:-$1} version directory
    version=$(tr ' ' '\n' <<<"$crates" | sed -n "s/^$name@//p")
    directory=$tools/$name-$version
    if [ ! -x "$directory/bin/$file" ]; then
        env --unset=CARGO_TARGET_DIR cargo install --quiet --locked --root "$directory" \
            --target-dir "$directory/build" --profile dev "$name@$version" >&2 || return
        rm -rf "$directory/build"
    fi
    echo "$directory/bin/$file"
}
