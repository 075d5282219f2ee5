#!/bin/sh
# Installs docker-credential-icr from its published archives, and removes it; `--help` explains. It runs in any POSIX shell,
# and does nothing if it was downloaded in part: a shell runs the last lines only if they are complete.
[ -z "${ZSH_VERSION:-}" ] || emulate sh
set -eu

program=docker-credential-icr
# install/release fills these in.
downloads=${ICR_DOWNLOADS:-}
version=
public_key=${ICR_PUBLIC_KEY:-}

usage() {
    cat <<END
usage: get.sh [--system | --prefix DIR] [--version VERSION | --uninstall [--yes]]

Downloads $program for this machine's processor, checks it, and installs it for your user:
the program in \$XDG_BIN_HOME or ~/.local/bin, its manual and shell completions in \$XDG_DATA_HOME or
~/.local/share.

  --system           Install for all users in /usr/local; needs root
  --prefix DIR       Install in DIR/bin and DIR/share
  --version VERSION  Install this version${version:+ instead of $version}
  --uninstall        Remove the helper from your clients' files, your logins (it asks before both) and the installed files
  --yes              With --uninstall, answer yes to all questions
  --help             Print this help

ICR_DOWNLOADS is the URL of the directory with the archives and SHA256SUMS. ICR_PUBLIC_KEY is
the key of minisign that signs SHA256SUMS: if it is known and minisign is installed, the signature is
checked, too.
END
}

main() {
    action=install name=get.sh scope=user prefix='' yes=''
    parse "$@"
    if [ "$action" = uninstall ]; then uninstall_program; else install_program; fi
}

install_program() {
    [ -n "$downloads" ] || fail "ICR_DOWNLOADS is not set: the URL of the directory with the archives"
    downloads=${downloads%/}
    is_protected "$downloads" || fail "ICR_DOWNLOADS must begin with https://"
    [ -n "$version" ] || fail "which version? Add --version VERSION"
    target=$(target)
    choose_directories
    [ "$scope" = user ] || [ "$(id -u)" = 0 ] || fail "--system needs root"
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
        --uninstall) action=uninstall ;;
        --yes | -y) yes=yes ;;
        # Only install.sh uses it, which removes the program with this script.
        --name) name=${2:-} && shift ;;
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
    [ -z "$yes" ] || [ "$action" = uninstall ] || misused "--yes needs --uninstall"
    # It becomes a part of URLs and of file names.
    case $version in
    *[!0-9A-Za-z.+-]*) misused "'$version' is not a version" ;;
    esac
}

misused() {
    echo "$name: $1" >&2
    usage >&2
    exit 2
}

fail() {
    if [ "$action" = install ]; then stop "$1. Nothing was installed"; else stop "$1. Nothing was removed"; fi
}

stop() {
    echo "$name: $1" >&2
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
    share=''
    if [ "$scope" = system ]; then
        binaries=/usr/local/bin share=/usr/local/share
    elif [ -n "$prefix" ]; then
        prefix=$(absolute "$prefix")
        binaries=$prefix/bin share=$prefix/share
    elif [ -n "$(sudo_user)" ]; then
        fail "sudo would $action it only for root. Run this without sudo, or add --system"
    elif [ -n "${XDG_BIN_HOME:-}" ]; then
        binaries=$XDG_BIN_HOME
    elif [ -n "${HOME:-}" ]; then
        binaries=$HOME/.local/bin
    else
        fail "HOME is not set, so your directory is unknown. Set HOME, or use --prefix DIR or --system"
    fi
    binaries=$(absolute "$binaries")
    [ -n "$share" ] || choose_share
    [ ! -d "$binaries/$program" ] || fail "$binaries/$program is a directory. Remove it first"
}

# A relative XDG_DATA_HOME is invalid.
choose_share() {
    case ${XDG_DATA_HOME:-} in
    /*) share=$XDG_DATA_HOME ;;
    *) if [ -n "${HOME:-}" ]; then share=$HOME/.local/share; else share=${binaries%/*}/share; fi ;;
    esac
}

absolute() {
    case $1 in
    /*) echo "$1" ;;
    *) echo "$PWD/$1" ;;
    esac
}

# Prints the user who called sudo, or nothing.
sudo_user() {
    [ "$(id -u)" != 0 ] || [ "${SUDO_USER:-root}" = root ] || echo "$SUDO_USER"
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
    # -q: the user's settings of curl may name other files, or switch checks off.
    curl:https://*) curl -q --proto '=https' --proto-redir '=https' --tlsv1.2 -fsSL --retry 2 -o "$2" "$1" ;;
    curl:*) curl -q --proto-redir '=https' -fsSL -o "$2" "$1" ;;
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
        *) echo "$name: a redirect to $address is not followed" >&2 && return 1 ;;
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
    # What root installs is for all users.
    [ "$(id -u)" != 0 ] || umask 022
    (cd "$tree/share" && find . -type f) >"$scratch/files"
    while read -r file; do
        place "$tree/share/$file" "$share/${file#./}" 644
    done <"$scratch/files"
    place "$tree/bin/$program" "$binaries/$program" 755
    found=$("$binaries/$program" version) ||
        stop "$binaries/$program was installed, but cannot be run. Use --prefix with a directory where programs may be run"
    echo "Installed $found as $binaries/$program"
}

# A running program cannot be overwritten, but another file can replace it.
place() {
    unfinished=${2%/*}/.$program.$$
    if mkdir -p "${2%/*}" && cp "$1" "$unfinished" && chmod "$3" "$unfinished" && mv -f "$unfinished" "$2"; then return; fi
    rm -f "$unfinished"
    echo "$name: cannot write $2" >&2
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

## Removing

uninstall_program() {
    choose_directories
    [ ! -d "$binaries" ] || [ -w "$binaries" ] || may_use_sudo ||
        fail "you may not write to $binaries. Run this as its owner"
    if [ -f "$binaries/$program" ]; then
        [ "$scope" = user ] || echo "Other users have to run '$program configure --undo' and '$program logout --all' before."
        undo_configure
        undo_system
        delete_logins
        as_invoker sh -c "$remove_own_directories" sh "$program"
    fi
    remove_documents
    if [ ! -e "$binaries/$program" ] && [ ! -L "$binaries/$program" ]; then
        echo "$binaries/$program does not exist: nothing to remove"
        return
    fi
    privileged rm "$binaries/$program"
    echo "Removed $binaries/$program"
}

# Removes the helper from the files of the user's clients, which fail without it.
undo_configure() {
    # Notes and errors are shown once: by the run that changes the files, or if there is none, by another dry run.
    if ! changes=$(run_as_invoker configure --undo --dry-run --json 2>/dev/null); then
        run_as_invoker configure --undo --dry-run >/dev/null || true
        echo "$name: cannot find out which clients use the program" >&2
        { [ -z "$yes" ] && can_ask && agrees "Remove it anyway? Clients that use it fail without it" n; } ||
            stop "nothing was removed. To remove the program anyway: rm $binaries/$program"
    elif contains_change "$changes"; then
        if agrees "Remove the helper from your clients' files ('$program configure --undo')?" y; then
            run_as_invoker configure --undo || stop "the helper is still in your clients' files. Nothing was removed"
        else
            echo "Warning: clients whose files name the helper fail without it."
        fi
    else
        run_as_invoker configure --undo --dry-run >/dev/null
    fi
}

# The same for the files of all users: with its list of helpers, podman cannot pull at all without the program.
undo_system() {
    [ "$scope" = system ] && [ -e "/var/lib/$program" ] || return 0
    if agrees "Remove the helper from the files of all users ('$program configure --system --undo')?" y; then
        privileged "$binaries/$program" configure --system --undo ||
            stop "the helper is still in files of all users. Nothing was removed"
    else
        echo "Warning: podman of all users cannot pull without the program."
    fi
}

# Deletes the logins of the user and the cached tokens: without the program, no other program deletes them.
delete_logins() {
    has_logins || return 0
    if agrees "Delete your logins from the keychain ('$program logout --all')?" y; then
        run_as_invoker logout --all ||
            stop "the logins are still in the keychain. The program was not removed. To remove it anyway: rm $binaries/$program"
    else
        echo "Your logins stay in the keychain."
    fi
}

# Without an answer, there may be logins.
has_logins() {
    rows=$(run_as_invoker status --json 2>/dev/null) || [ -n "$rows" ] || return 0
    case $rows in
    *'"source": "login"'*) return 0 ;;
    *) return 1 ;;
    esac
}

contains_change() {
    case $1 in
    *'"changed": true'*) return 0 ;;
    *) return 1 ;;
    esac
}

# Runs the installed program as the user. Variables with keys do not matter here: only logins do.
run_as_invoker() {
    as_invoker env ICR_SOURCE=login "$binaries/$program" "$@"
}

# Runs a command, under sudo as the user who called it.
as_invoker() {
    user=$(sudo_user)
    if [ -n "$user" ]; then set -- sudo -H -u "$user" -- "$@"; fi
    "$@"
}

# Runs a command with the rights that the directory requires.
privileged() {
    if may_use_sudo; then
        echo "+ sudo $*" >&2
        sudo "$@"
    else
        "$@"
    fi
}

may_use_sudo() {
    [ "$scope" = system ] && [ "$(id -u)" != 0 ] && has sudo
}

# The commands that remove what the program keeps in the user's directories: locks and marks, which contain no secret. Settings
# stay, and so does the record of changes that were not undone. $1 is the program's name.
# shellcheck disable=SC2016 # the other shell expands it
remove_own_directories='
    caches=${XDG_CACHE_HOME:-${HOME:-}/.cache} state=${XDG_STATE_HOME:-${HOME:-}/.local/state} config=${XDG_CONFIG_HOME:-${HOME:-}/.config}
    if [ "$(uname)" = Darwin ]; then
        caches=$HOME/Library/Caches state="$HOME/Library/Application Support" config=$state
    fi
    rm -rf "$caches/$1/locks" "$caches/$1"/outage-* "$caches/$1"/*-hung*
    for directory in "$caches" "$state" "$config"; do
        rmdir "$directory/$1" 2>/dev/null || true
    done'

# Also removes files of other versions. Directories stay, because other programs may use them.
remove_documents() {
    for document in "$share/man/man1/$program.1" "$share/man/man1/$program"-*.1 \
        "$share/bash-completion/completions/$program" "$share/elvish/lib/$program.elv" \
        "$share/fish/vendor_completions.d/$program.fish" "$share/zsh/site-functions/_$program" "$share/doc/$program"/*; do
        [ ! -e "$document" ] || privileged rm "$document"
    done
    [ ! -d "$share/doc/$program" ] || privileged rmdir "$share/doc/$program"
}

# Asks a question with a default answer, y or n. --yes answers it.
agrees() {
    [ -z "$yes" ] || return 0
    choice='[y/N]'
    [ "$2" = n ] || choice='[Y/n]'
    can_ask || stop "there is no terminal to ask: $1 To answer with yes, add --yes. The program was not removed"
    while true; do
        printf '%s %s ' "$1" "$choice" >&2
        read_answer || stop "canceled. The program was not removed"
        case ${answer:-$2} in
        [yY] | [yY][eE][sS]) return 0 ;;
        [nN] | [nN][oO]) return 1 ;;
        esac
    done
}

# Whether a person can be asked. If a shell reads this script from a pipe, the person is at its terminal.
can_ask() {
    [ -t 0 ] || { is_piped && (: </dev/tty) 2>/dev/null; }
}

is_piped() {
    [ ! -f "$0" ]
}

read_answer() {
    if [ -t 0 ]; then read -r answer; else read -r answer </dev/tty; fi
}

{
    main "$@"
    exit
}
