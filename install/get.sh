#!/bin/sh
# Installs docker-credential-icr from its published archives; `--help` explains. It runs in any POSIX shell, and does nothing
# if it was downloaded in part: a shell runs the last lines only if they are complete.
set -eu

program=docker-credential-icr
# install/release fills these in.
downloads=${ICR_DOWNLOADS:-}
version=
public_key=${ICR_PUBLIC_KEY:-}

usage() {
    cat <<END
usage: get.sh [--system | --prefix DIR] [--version VERSION]

Downloads $program for this machine's processor, checks it, and installs it for your user:
the program in \$XDG_BIN_HOME or ~/.local/bin, its manual and shell completions in \$XDG_DATA_HOME or
~/.local/share.

  --system           Install for all users in /usr/local; needs root
  --prefix DIR       Install in DIR/bin and DIR/share
  --version VERSION  Install this version${version:+ instead of $version}
  --help             Print this help

ICR_DOWNLOADS is the URL of the directory with the archives and SHA256SUMS. ICR_PUBLIC_KEY is
the key of minisign that signs SHA256SUMS: if it is known and minisign is installed, the signature is
checked, too.
END
}

main() {
    scope=user prefix=''
    parse "$@"
    [ -n "$downloads" ] || fail "ICR_DOWNLOADS is not set: the URL of the directory with the archives"
    downloads=${downloads%/}
    is_protected "$downloads" || fail "ICR_DOWNLOADS must begin with https://"
    [ -n "$version" ] || fail "which version? Add --version VERSION"
    target=$(target)
    choose_directories
    choose_tools
    scratch=$(mktemp -d) || fail "cannot create a temporary directory"
    trap 'rm -rf "$scratch"' EXIT
    trap 'exit 1' HUP INT TERM
    archive=$program-$version-$target.tar.gz
    download SHA256SUMS
    check_signature
    download "$archive"
    check_sum
    unpack
    install_files
    next_step
}

parse() {
    while [ $# -gt 0 ]; do
        case $1 in
        --help | -h) usage && exit ;;
        --system) scope=system ;;
        --prefix | --version)
            [ -n "${2:-}" ] || misused "$1 needs a value"
            if [ "$1" = --prefix ]; then prefix=$2; else version=$2; fi
            shift
            ;;
        --prefix=?*) prefix=${1#--prefix=} ;;
        --version=?*) version=${1#--version=} ;;
        *) misused "unknown option '$1'" ;;
        esac
        shift
    done
    [ "$scope" = user ] || [ -z "$prefix" ] || misused "--system and --prefix exclude each other"
    # It becomes a part of URLs and of file names.
    case $version in
    *[!0-9A-Za-z.+-]*) misused "'$version' is not a version" ;;
    esac
}

misused() {
    echo "get.sh: $1" >&2
    usage >&2
    exit 2
}

fail() {
    echo "get.sh: $1. Nothing was installed" >&2
    exit 1
}

# Whether a URL is one of HTTPS, or of this machine.
is_protected() {
    case $1 in
    *@*) return 1 ;;
    https://*) ;;
    http://127.0.0.1 | http://127.0.0.1[:/]* | http://localhost | http://localhost[:/]*) ;;
    *) return 1 ;;
    esac
}

# Prints the target of the archive. It is static, so the C library of this machine does not matter.
target() {
    system=$(uname -s) processor=$(uname -m)
    [ "$system" = Linux ] || fail "there are archives only for Linux, and a .zip for Windows. Build it on $system: see install.sh"
    case $processor in
    x86_64 | amd64) echo x86_64-unknown-linux-musl ;;
    aarch64 | arm64) echo aarch64-unknown-linux-musl ;;
    ppc64le) echo powerpc64le-unknown-linux-musl ;;
    s390x) echo s390x-unknown-linux-musl ;;
    *) fail "there is no archive for the processor $processor (x86_64, aarch64, ppc64le, s390x)" ;;
    esac
}

choose_directories() {
    if [ "$scope" = system ]; then
        binaries=/usr/local/bin share=/usr/local/share
        [ "$(id -u)" = 0 ] || fail "--system needs root"
    elif [ -n "$prefix" ]; then
        case $prefix in
        /*) ;;
        *) prefix=$PWD/$prefix ;;
        esac
        binaries=$prefix/bin share=$prefix/share
    elif [ "$(id -u)" = 0 ] && [ "${SUDO_USER:-root}" != root ]; then
        fail "sudo would install it only for root. Run this without sudo, or add --system"
    elif [ -n "${HOME:-}" ]; then
        binaries=${XDG_BIN_HOME:-$HOME/.local/bin} share=${XDG_DATA_HOME:-$HOME/.local/share}
    else
        fail "HOME is not set, so your directory is unknown. Set HOME, or use --prefix DIR or --system"
    fi
    [ ! -d "$binaries/$program" ] || fail "$binaries/$program is a directory. Remove it first"
}

# Chooses how files are downloaded and their sums are computed.
choose_tools() {
    if has curl; then
        client=curl
    elif has wget && wget --version 2>/dev/null | grep -q GNU; then
        client=wget
    elif has wget; then
        # BusyBox does not check certificates everywhere.
        is_signed || case $downloads in
        https://*) fail "this wget may not check certificates. Install curl, GNU wget or minisign" ;;
        esac
        client=other
    else
        fail "curl or wget is missing"
    fi
    if has sha256sum; then
        sum=sha256sum
    elif has shasum; then
        sum='shasum -a 256'
    else
        fail "sha256sum or shasum is missing"
    fi
    has tar || fail "tar is missing"
    has gzip || fail "gzip is missing"
}

has() {
    command -v "$1" >/dev/null 2>&1
}

download() {
    fetch "$downloads/$1" "$scratch/$1" || fail "cannot download $downloads/$1"
    [ -s "$scratch/$1" ] || fail "$downloads/$1 is empty"
}

# Downloads a URL to a file. No redirect to anything but HTTPS is followed.
fetch() {
    case $client:$1 in
    curl:https://*) curl --proto '=https' --proto-redir '=https' --tlsv1.2 -fsSL --retry 2 -o "$2" "$1" ;;
    curl:*) curl --proto-redir '=https' -fsSL -o "$2" "$1" ;;
    wget:*) fetch_with_wget "$1" "$2" ;;
    *) wget -q -O "$2" "$1" ;;
    esac
}

# GNU wget would follow a redirect to HTTP.
fetch_with_wget() {
    address=$1 redirects=0
    while [ "$redirects" -le 5 ]; do
        if wget --no-verbose --server-response --max-redirect=0 -O "$2" "$address" 2>"$scratch/wget"; then return; fi
        address=$(sed -n 's/^ *[Ll]ocation: *\([^ ]*\).*/\1/p' "$scratch/wget" | tr -d '\r' | tail -n 1)
        case $address in
        https://*) redirects=$((redirects + 1)) ;;
        '') tail -n 2 "$scratch/wget" >&2 && return 1 ;;
        *) echo "get.sh: a redirect to $address is not followed" >&2 && return 1 ;;
        esac
    done
    return 1
}

is_signed() {
    [ -n "$public_key" ] && has minisign
}

check_signature() {
    if is_signed; then
        download SHA256SUMS.minisig
        minisign -V -q -P "$public_key" -m "$scratch/SHA256SUMS" -x "$scratch/SHA256SUMS.minisig" ||
            fail "the signature of SHA256SUMS is wrong"
    elif [ -n "$public_key" ]; then
        echo "The signature is not checked, because minisign is not installed. The sums come by HTTPS from the same server."
    else
        echo "No key is known that signs this version. The sums come by HTTPS from the same server."
    fi
}

check_sum() {
    expected=$(awk -v name="$archive" '$2 == name || $2 == "*" name { print $1 }' "$scratch/SHA256SUMS")
    case $expected in
    *[!0-9a-f]* | '') fail "SHA256SUMS has no sum of $archive" ;;
    esac
    found=$($sum <"$scratch/$archive" | cut -d ' ' -f 1)
    [ "$found" = "$expected" ] || fail "$archive is not the published file: its sum is $found instead of $expected"
}

unpack() {
    gzip -dc "$scratch/$archive" >"$scratch/archive.tar" || fail "cannot unpack $archive"
    tar -C "$scratch" -xf "$scratch/archive.tar" || fail "cannot unpack $archive"
    tree=$scratch/$program-$version-$target
    [ -f "$tree/bin/$program" ] || fail "$archive has no program"
}

# The program last, so that it is there only if all is.
install_files() {
    (cd "$tree/share" && find . -type f) >"$scratch/files"
    while read -r file; do
        place "$tree/share/$file" "$share/${file#./}" 644
    done <"$scratch/files"
    place "$tree/bin/$program" "$binaries/$program" 755
    echo "Installed $("$binaries/$program" version) as $binaries/$program"
}

# A running program cannot be overwritten, but another file can replace it.
place() {
    unfinished=${2%/*}/.$program.$$
    if mkdir -p "${2%/*}" && cp "$1" "$unfinished" && chmod "$3" "$unfinished" && mv -f "$unfinished" "$2"; then return; fi
    rm -f "$unfinished"
    echo "get.sh: cannot write $2" >&2
    exit 1
}

next_step() {
    case :$PATH: in
    *:"$binaries":*) ;;
    *)
        echo "Warning: $binaries is not on your PATH, so clients will not find the program. Add to ~/.profile:"
        echo "    export PATH=\"$binaries:\$PATH\""
        ;;
    esac
    cat <<'END'
Next:
    docker-credential-icr login                             log in to all registries
    docker-credential-icr configure --registry us.icr.io    add this helper to Docker and Podman
END
}

{
    main "$@"
    exit
}
